"""A run of several processes: the exchange between the master and its workers."""
