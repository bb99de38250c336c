"""From when on the load generator was measured in the pool's place: for the report and the page."""

BUSY_CPU = 0.90
"""The share of its core that a process must not use up."""
NOTABLE_LAG = 0.001
"""How late (s) its event loop may be on average, whatever it does."""
LAG_SHARE = 0.10
"""The share of the mean request that may be such lag, where that is more."""
