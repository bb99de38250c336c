"""The running totals of a pool that the metrics show: counters, and times by bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from loadtest.model.distribution import Distribution
from loadtest.model.histogram import HIGHEST, Counts
from loadtest.model.interval import Interval
from loadtest.model.metrics import BUCKET_SECONDS, COUNTER_METRICS, HISTOGRAM_METRICS

_TIMES = {name for metric in HISTOGRAM_METRICS for _, names in metric.sources for name in names}
_COUNTERS = {name for metric in COUNTER_METRICS for _, name in metric.sources}
# The index of the bucket for each bin of a histogram.
_SLOTS = np.searchsorted(BUCKET_SECONDS, HIGHEST / 1e6)
_BUCKETS = len(BUCKET_SECONDS) + 1


@dataclass(frozen=True, slots=True, eq=False)
class BucketTimes:
    """Durations by bucket, the last one above all edges, with their exact sum (ns)."""

    buckets: Counts = field(default_factory=lambda: np.zeros(_BUCKETS, dtype=np.int64))
    sum: int = 0

    @classmethod
    def of(cls, times: Distribution) -> BucketTimes:
        """The buckets of a distribution."""
        counts = times.counts
        filled = np.bincount(_SLOTS[: len(counts)], weights=counts, minlength=_BUCKETS)
        return cls(filled.astype(np.int64), times.sum)

    def __add__(self, other: BucketTimes) -> BucketTimes:
        return BucketTimes(self.buckets + other.buckets, self.sum + other.sum)


@dataclass(frozen=True, slots=True, eq=False)
class PoolTotals:
    """What happened since a process began; it never changes, so that any thread may read it."""

    counters: Mapping[str, int] = field(default_factory=Counter)
    times: Mapping[str, BucketTimes] = field(default_factory=dict)

    def plus(self, interval: Interval) -> PoolTotals:
        """These totals and an interval."""
        counters, times = Counter(self.counters), dict(self.times)
        for name in _COUNTERS & interval.counters.keys():
            counters[name] += interval.counters[name]
        for name in _TIMES & interval.histograms.keys():
            more = BucketTimes.of(interval.histograms[name])
            times[name] = times[name] + more if name in times else more
        return PoolTotals(counters, times)

    def to_json(self) -> dict[str, Any]:
        """The totals for the header of a run file."""
        times = {
            name: {"buckets": one.buckets.tolist(), "sum": one.sum}
            for name, one in self.times.items()
        }
        return {"counters": {name: n for name, n in self.counters.items() if n}, "times": times}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PoolTotals:
        """Read what `to_json` wrote."""
        times = {
            name: BucketTimes(np.array(one["buckets"], dtype=np.int64), one["sum"])
            for name, one in data["times"].items()
        }
        return cls(Counter(data["counters"]), times)
