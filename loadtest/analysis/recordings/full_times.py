"""The times in which a recorded pool was full, so that checkouts waited."""

from __future__ import annotations

import numpy as np

from loadtest.analysis.columns import Ints, Levels, Mask
from loadtest.analysis.recordings.pool_seconds import PoolSeconds, ProcessSeconds
from loadtest.model.interval import ENDED_CHECKOUTS
from loadtest.model.recording_summary import FullTime

# Fewer checkouts that wait (a mean level) are noise of a busy machine.
LEAST_WAITING = 0.1
# Full times with shorter breaks (s) count as one.
SHORTEST_BREAK = 5


def full_seconds(seconds: PoolSeconds) -> Mask:
    """Whether in each second checkouts waited or timed out at a full pool of any process."""
    return seconds.added(_is_full)


def _is_full(process: ProcessSeconds) -> Mask:
    """Whether it was full in each of its seconds."""
    waiting = process.level("waiting")
    # Of several engines, which have a pool each, one may be full while another is idle.
    limit = np.inf if process.most is None else max(process.most, 1)
    at_limit = process.highest("in_use") >= limit
    full: Mask = (process.count("timeouts") > 0) | (at_limit & (waiting >= LEAST_WAITING))
    return full


def full_times(seconds: PoolSeconds) -> list[FullTime]:
    """The same as times from the first to the last full second of each."""
    full = np.flatnonzero(full_seconds(seconds))
    if not len(full):
        return []
    breaks = np.flatnonzero(np.diff(full) > SHORTEST_BREAK) + 1
    begins, ends = full[[0, *breaks]], full[[*(breaks - 1), -1]] + 1
    waited = _sums(seconds.added(lambda one: one.level("waiting") * _is_full(one)), begins, ends)
    attempts = seconds.added(lambda one: one.count(*ENDED_CHECKOUTS) * _is_full(one))
    ended = _sums(attempts, begins, ends)
    means = waited / np.maximum(ended, 1)
    spans = zip((begins + seconds.begin).tolist(), (ends + seconds.begin).tolist(), strict=True)
    return [
        FullTime(begin=begin, end=end, wait_seconds_mean=mean)
        for (begin, end), mean in zip(spans, means.tolist(), strict=True)
    ]


def _sums(values: Levels | Ints, begins: Ints, ends: Ints) -> Levels:
    upto = np.concatenate(([0.0], np.cumsum(values)))
    return upto[ends] - upto[begins]
