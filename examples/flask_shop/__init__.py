"""A web shop with Flask and a scoped_session, for a server with threads."""
