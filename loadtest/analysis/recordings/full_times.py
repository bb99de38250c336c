"""The times in which a recorded pool was full, so that checkouts waited."""

from __future__ import annotations

import numpy as np

from loadtest.analysis.columns import Mask
from loadtest.analysis.recordings.pool_seconds import PoolSeconds
from loadtest.model.recording_summary import TimeSpan

# Fewer checkouts that wait (a mean level) are noise of a busy machine.
LEAST_WAITING = 0.1
# Full times with shorter breaks (s) count as one.
SHORTEST_BREAK = 5


def full_seconds(seconds: PoolSeconds) -> Mask:
    """Whether in each second checkouts waited or timed out at a full pool of any process."""
    full = np.zeros(seconds.length, dtype=bool)
    each = zip(
        seconds.most_of("in_use"),
        seconds.limits(),
        seconds.levels_of("waiting"),
        seconds.counts_of("timeouts"),
        strict=True,
    )
    for most, limit, waiting, timeouts in each:
        full |= (timeouts > 0) | ((most >= limit) & (limit > 0) & (waiting >= LEAST_WAITING))
    return full


def full_times(seconds: PoolSeconds) -> list[TimeSpan]:
    """The same as times from the first to the last full second of each."""
    found: list[TimeSpan] = []
    for second in (np.flatnonzero(full_seconds(seconds)) + seconds.begin).tolist():
        if found and second - found[-1].end < SHORTEST_BREAK:
            found[-1] = TimeSpan(begin=found[-1].begin, end=second + 1)
        else:
            found.append(TimeSpan(begin=second, end=second + 1))
    return found
