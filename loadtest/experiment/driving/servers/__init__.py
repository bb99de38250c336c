"""The database servers of driven applications: found, announced, limited and checked."""
