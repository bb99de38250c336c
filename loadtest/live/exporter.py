"""A Prometheus collector over the running total of intervals: it costs nothing between scrapes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from loadtest.model.interval import Interval
from loadtest.model.metrics import LOAD_TEST, POOL_LABEL
from loadtest.model.pool import PoolConfig
from loadtest.model.pool_totals import PoolTotals
from loadtest.recording.telemetry.families import Series, families
from loadtest.recording.telemetry.pool_reading import levels_of

# A process that was silent for this long (s) has no connections any more.
_SILENT_SECONDS = 5


class Exporter(Collector):
    """The collector for Prometheus: totals by pool over all runs, levels of the current run."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._totals: dict[str, PoolTotals] = {}
        self._latest: dict[str, Interval] = {}
        self._pool: PoolConfig | None = None
        self._lock = threading.Lock()  # a metrics server may ask from a thread of its own
        registry.register(self)

    def begin(self, pool: PoolConfig) -> None:
        """A run with this pool begins."""
        self._pool = pool
        self._latest = {}
        self._totals.setdefault(pool.name, PoolTotals())

    def add(self, interval: Interval) -> None:
        """Take an interval of any process of the current run."""
        if self._pool is None:
            return
        with self._lock:
            self._latest[interval.process] = interval
            name = self._pool.name
            self._totals[name] = self._totals[name].plus(interval)

    def collect(self) -> Iterator[Metric]:
        """The current metrics."""
        with self._lock:
            return families(list(self._series()), (POOL_LABEL,), LOAD_TEST)

    def _series(self) -> Iterator[Series]:
        newest = max((interval.second for interval in self._latest.values()), default=0)
        latest = [i for i in self._latest.values() if i.second > newest - _SILENT_SECONDS]
        for name, totals in self._totals.items():
            current = self._pool if self._pool and self._pool.name == name else None
            levels = levels_of(latest, current, max(1, len(latest))) if current else None
            yield Series((name,), totals, levels)
