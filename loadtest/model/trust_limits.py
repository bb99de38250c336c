"""Limits of the load generator, for the checks before a run, the report and the live page.

Beyond them the results show the generator's limit, not the pool's.
"""

BUSY_CPU = 0.90
"""A process that uses this share of its core or more is busy."""
NOTABLE_LAG = 0.001
"""An event loop may be late by this many seconds on average."""
LAG_SHARE = 0.10
"""It may be later, up to this share of the mean request."""
TIME_WAIT_SECONDS = 60
"""The system keeps the local port of a connection that was closed here for this long."""
