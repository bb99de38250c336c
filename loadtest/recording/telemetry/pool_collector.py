"""The collector of recorded pools for Prometheus, for an application with prometheus_client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from loadtest.model.metrics import APPLICATION, POOL_LABEL, SLOT_LABEL
from loadtest.model.steps import in_steps
from loadtest.recording.telemetry.families import Series, families
from loadtest.recording.telemetry.pool_reading import PoolReading
from loadtest.runfile.shared_interpreter import let_others_run


class PoolCollector(Collector):
    """Collects the metrics of pools at each scrape; readings: returns their present state."""

    def __init__(self, readings: Callable[[], Sequence[PoolReading]]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        """The current metrics."""
        series = [
            Series((one.pool, str(one.slot)), one.totals, one.levels) for one in self._readings()
        ]
        found = families(series, (POOL_LABEL, SLOT_LABEL), APPLICATION)
        return in_steps(found, let_others_run)
