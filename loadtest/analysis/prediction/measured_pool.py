"""Pools as they were measured, to compare predictions with."""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.statistics.censoring import describe
from loadtest.model.durations import Durations
from loadtest.model.pool import PoolConfig, PoolSettings

_QUEUES = ("QueuePool", "AsyncAdaptedQueuePool")
_SETTINGS = (
    "pool_size",
    "max_overflow",
    "pool_timeout",
    "pool_use_lifo",
    "pool_recycle",
    "pool_pre_ping",
)


@dataclass(frozen=True)
class MeasuredPool:
    """A pool as it was measured.

    settings: None if it was no QueuePool. served: checkouts per second that got a connection.
    timeouts: the share of checkouts that ended with one.
    """

    name: str
    settings: PoolConfig | None
    served: float
    wait: Durations
    timeouts: float


def as_measured(pool: PoolRuns) -> MeasuredPool:
    """What a pool did while it was measured."""
    return MeasuredPool(
        name=pool.name,
        settings=queue_settings(pool.settings),
        served=pool.counters["checkouts"] / pool.seconds,
        wait=describe(pool.times("wait", cut_off_by_waits=True)),
        timeouts=pool.counters["timeouts"] / max(pool.checkout_attempts, 1),
    )


def queue_settings(settings: PoolSettings) -> PoolConfig | None:
    """The settings of a pool with a queue that matter for a prediction; None for other classes."""
    if settings.poolclass not in _QUEUES:
        return None
    return PoolConfig(**{name: getattr(settings, name) for name in _SETTINGS})
