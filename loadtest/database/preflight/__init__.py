"""Checks of a database, of this machine and of a pool, before a run."""
