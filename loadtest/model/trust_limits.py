"""Limits of the load generator, for the checks before a run, the report and the live page.

Beyond them the results show the generator's limit, not the pool's.
"""

BUSY_CPU = 0.90
"""A process is busy if it uses this share of its core or more."""
NOTABLE_LAG = 0.001
"""The mean event-loop lag (s) that is always acceptable."""
LAG_SHARE = 0.10
"""A larger lag is acceptable up to this share of the mean request."""
DISTURBING_SHARE = 0.25
"""Other programs disturb a run if they use this share of all processors or more."""
TIME_WAIT_SECONDS = 60
"""How long (s) the system keeps the local port of a connection that this side closed."""
