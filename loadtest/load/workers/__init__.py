"""A run of several processes: what the master and its workers exchange."""
