"""Recordings of an application that is a queue: arrivals and holds drawn at random, served."""

from __future__ import annotations

from collections import Counter

import numpy as np

from loadtest.analysis.prediction.replay import Times, serve_arrivals
from loadtest.model.distribution import Distribution, Nanoseconds
from loadtest.model.interval import SECOND, Gauge, Interval
from loadtest.model.pool import PoolConfig
from loadtest.pool.levels import gauge, level_steps
from tests.analysis.builders import START

CONNECT = 0.004


def poisson(rate: float, seconds: int, seed: int) -> Times:
    """Arrivals (s) of a Poisson process with a rate (1/s)."""
    numbers = np.random.default_rng(seed)
    return np.sort(numbers.random(numbers.poisson(rate * seconds)) * seconds)


def exponential(number: int, mean: float, seed: int) -> Times:
    """Exponential holds (s)."""
    return np.random.default_rng(seed).exponential(mean, number)


def recorded_queue(
    pool: PoolConfig, arrivals: Times, holds: Times, process: str = "web-1", begin: int = 0
) -> list[Interval]:
    """The intervals of a process that serves arrivals (s) with holds (s), from second `begin`."""
    waits = serve_arrivals(pool, arrivals, holds, np.full(len(holds), CONNECT)).waits
    served = waits < pool.pool_timeout
    at = arrivals + waits
    ends = at + holds
    seconds = range(int(max(ends.max(initial=0), arrivals.max(initial=0))) + 1)
    spans = np.stack([at, ends], axis=1)[served]
    queued = np.stack([arrivals, at], axis=1)[waits > 1e-4]
    return [
        Interval(
            START + begin + second,
            process,
            counters=_counted(at, served, second),
            gauges={"in_use": _level(spans, second), "waiting": _level(queued, second)}
            | {"open": _level(spans, second), "engines": _level(np.array([[0, 1e9]]), second)},
            histograms={
                "wait": _times(waits, at, second),
                "hold": _times(holds[served], ends[served], second),
            },
            unfinished=Distribution.of(_nanoseconds(_ages(arrivals, at, second + 1))),
        )
        for second in seconds
    ]


def _counted(at: Times, served: Times, second: int) -> Counter[str]:
    now = at.astype(int) == second
    return Counter(checkouts=int((now & served).sum()), timeouts=int((now & ~served).sum()))


def _times(values: Times, ended: Times, second: int) -> Distribution:
    return Distribution.of(_nanoseconds(values[ended.astype(int) == second]))


def _ages(begins: Times, ends: Times, now: float) -> Times:
    return now - begins[(begins < now) & (ends >= now)]


def _level(spans: Times, second: int) -> Gauge:
    within = second * SECOND, (second + 1) * SECOND
    return gauge(level_steps([_nanoseconds(spans)], within), within)


def _nanoseconds(seconds: Times) -> Nanoseconds:
    return np.rint(np.asarray(seconds) * SECOND).astype(np.int64)
