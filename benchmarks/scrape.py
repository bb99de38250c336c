"""The cost of a scrape of the metrics for the generator, early in a run and after an hour."""

import json
import time
from collections import Counter

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest

from loadtest.live.exporter import Exporter
from loadtest.model.distribution import Distribution
from loadtest.model.interval import Gauge, Interval
from loadtest.model.pool import PoolConfig

SCRAPES = 50
NAMES = ("checkout", "wait", "connect", "hold", "reset", "request", "generator_lag")


def main() -> dict[str, object]:
    """Run it: seconds per scrape (mean) after ten seconds and after an hour, and their ratio."""
    early, late = _seconds(10), _seconds(3600)
    return {"seconds_early": early, "seconds_after_an_hour": late, "ratio": late / early}


def _seconds(intervals: int) -> float:
    registry = CollectorRegistry()
    exporter = Exporter(registry)
    exporter.begin(PoolConfig())
    random = np.random.default_rng(1)
    for second in range(intervals):
        exporter.add(_interval(second, random))
    start = time.perf_counter()
    for _ in range(SCRAPES):
        generate_latest(registry)
    return (time.perf_counter() - start) / SCRAPES


def _interval(second: int, random: np.random.Generator) -> Interval:
    durations = random.lognormal(14, 2, 500).astype(np.int64)
    return Interval(
        second,
        "process",
        counters=Counter(checkouts=500, requests=500),
        gauges={name: Gauge(10**9, 0, 5, 3) for name in ("in_use", "idle", "overflow", "waiting")},
        histograms={name: Distribution.of(durations) for name in NAMES},
    )


if __name__ == "__main__":
    print(json.dumps(main()))
