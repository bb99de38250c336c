"""A Prometheus collector over the running total of intervals: it costs nothing between scrapes."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from loadtest.live.metrics import (
    BUCKET_SECONDS,
    COUNTER_METRICS,
    HISTOGRAM_METRICS,
    LEAST_IDLE,
    LEVEL_METRICS,
    MOST,
    MOST_IDLE,
    OLDEST_WAIT,
    POOL_LABEL,
)
from loadtest.model.distribution import Distribution
from loadtest.model.histogram import HIGHEST
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig

# Only these histograms are added up.
_SHOWN = {name for metric in HISTOGRAM_METRICS for _, names in metric.sources for name in names}
# A process that was silent for this long (s) has no connections any more.
_SILENT_SECONDS = 5
# The index of the bucket for each bin of a histogram.
_SLOTS = np.searchsorted(BUCKET_SECONDS, HIGHEST / 1e6)


@dataclass
class _Total:
    counters: Counter[str] = field(default_factory=Counter)
    histograms: dict[str, Distribution] = field(default_factory=dict)

    def add(self, interval: Interval) -> None:
        self.counters.update(interval.counters)
        for name in _SHOWN & interval.histograms.keys():
            self.histograms.setdefault(name, Distribution()).add(interval.histograms[name])


class Exporter(Collector):
    """The collector for Prometheus: totals by pool over all runs, levels of the current run."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._totals: dict[str, _Total] = {}
        self._latest: dict[str, Interval] = {}
        self._pool: PoolConfig | None = None
        self._lock = threading.Lock()  # a metrics server may ask from a thread of its own
        registry.register(self)

    def begin(self, pool: PoolConfig) -> None:
        """A run with this pool begins."""
        self._pool = pool
        self._latest = {}
        self._totals.setdefault(pool.name, _Total())

    def add(self, interval: Interval) -> None:
        """Take an interval of any process of the current run."""
        if self._pool is None:
            return
        with self._lock:
            self._latest[interval.process] = interval
            self._totals[self._pool.name].add(interval)

    def collect(self) -> Iterator[Metric]:
        """The current metrics."""
        with self._lock:
            return iter([*self._histograms(), *self._counters(), *self._levels()])

    def _histograms(self) -> Iterator[Metric]:
        for metric in HISTOGRAM_METRICS:
            labels = [POOL_LABEL, *filter(None, [metric.label])]
            family = HistogramMetricFamily(metric.name, metric.help, labels=labels)
            for pool, total in self._totals.items():
                for value, names in metric.sources:
                    parts = (total.histograms.get(name, Distribution()) for name in names)
                    distribution = sum(parts, Distribution())
                    family.add_metric(
                        [pool, *filter(None, [value])],
                        _cumulative_buckets(distribution),
                        distribution.sum / 1e9,
                    )
            yield family

    def _counters(self) -> Iterator[Metric]:
        for metric in COUNTER_METRICS:
            labels = [POOL_LABEL, *filter(None, [metric.label])]
            family = CounterMetricFamily(metric.name, metric.help, labels=labels)
            for pool, total in self._totals.items():
                for value, name in metric.sources:
                    family.add_metric([pool, *filter(None, [value])], total.counters[name])
            yield family

    def _levels(self) -> Iterator[Metric]:
        pool = self._pool
        if pool is None:
            return
        newest = max((interval.second for interval in self._latest.values()), default=0)
        latest = [i for i in self._latest.values() if i.second > newest - _SILENT_SECONDS]
        for metric in LEVEL_METRICS:
            labels = [POOL_LABEL, *filter(None, [metric.label])]
            family = GaugeMetricFamily(metric.name, metric.help, labels=labels)
            for value, name in metric.sources:
                level = sum(i.gauges[name].last for i in latest if name in i.gauges)
                family.add_metric([pool.name, *filter(None, [value])], level)
            yield family
        numbers = {
            OLDEST_WAIT: max((interval.unfinished.max for interval in latest), default=0) / 1e9,
            MOST: _of_all(pool.most_connections, len(latest)),
            MOST_IDLE: _of_all(pool.kept_connections, len(latest)),
            LEAST_IDLE: 0,
        }
        for (name, text), number in numbers.items():
            family = GaugeMetricFamily(name, text, labels=[POOL_LABEL])
            family.add_metric([pool.name], number)
            yield family


def _of_all(of_one: int | None, processes: int) -> float:
    """A limit over the pools of all processes; before the first process, that of one."""
    return math.inf if of_one is None else of_one * max(1, processes)


def _cumulative_buckets(distribution: Distribution) -> list[tuple[str, float]]:
    counts = distribution.counts
    slots = _SLOTS[: len(counts)]
    filled = np.bincount(slots, weights=counts, minlength=len(BUCKET_SECONDS) + 1)
    edges = [*map(str, BUCKET_SECONDS), "+Inf"]
    return list(zip(edges, np.cumsum(filled).tolist(), strict=True))
