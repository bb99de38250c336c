"""The present state of a pool, which all kinds of metrics show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from loadtest.model.interval import Interval
from loadtest.model.metrics import LevelMetric
from loadtest.model.pool_limits import PoolSizes, Sized, connection_limit, idle_limit
from loadtest.model.pool_totals import PoolTotals


class CurrentLevels(NamedTuple):
    """The levels of a pool now: gauges by name, the oldest wait (s), and the limits."""

    gauges: Mapping[str, int]
    oldest_wait: float
    most: float
    most_idle: float


def levels_of(latest: Sequence[Interval], pool: Sized, pools: int) -> CurrentLevels:
    """The levels of pools with the same settings, from the latest interval of each process."""
    most, most_idle = connection_limit(pool), idle_limit(pool)
    names = {name for interval in latest for name in interval.gauges}
    return CurrentLevels(
        gauges={
            name: sum(i.gauges[name].last for i in latest if name in i.gauges) for name in names
        },
        oldest_wait=max((interval.unfinished.max for interval in latest), default=0) / 1e9,
        most=math.inf if most is None else most * pools,
        most_idle=math.inf if most_idle is None else most_idle * pools,
    )


def known_levels(metric: LevelMetric, levels: CurrentLevels | None) -> Iterator[tuple[str, int]]:
    """The levels of a metric by the value of its label; all are 0 if those of the pool are unknown.

    A recording of several pools has no overflow.
    """
    gauges = levels.gauges if levels else {}
    for value, name in metric.sources:
        if name in gauges or "in_use" not in gauges:
            yield value, gauges.get(name, 0)


class PoolReading(NamedTuple):
    """A recorded pool of one process: its totals since the process began, and its levels.

    slot: the number of the process. levels: None after the end of the process or the pool.
    """

    pool: str
    slot: int
    totals: PoolTotals
    levels: CurrentLevels | None


def reading_of(
    pool: str, slot: int, totals: PoolTotals, latest: Interval | None, sizes: PoolSizes | None
) -> PoolReading:
    """The state of a pool; latest, sizes: its latest interval and sizes, None after its end."""
    if latest is None or sizes is None:
        return PoolReading(pool, slot, totals, None)
    engines = latest.gauges["engines"].last if "engines" in latest.gauges else 1
    return PoolReading(pool, slot, totals, levels_of([latest], sizes, engines))
