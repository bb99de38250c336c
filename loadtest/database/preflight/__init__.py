"""Checks of the database, this machine and the pools before a run."""
