"""Other settings of a pool, predicted by simulation from a measured run."""
