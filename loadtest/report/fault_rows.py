"""The table of faults on the page and the terminal: a row per fault and pool."""

from __future__ import annotations

from loadtest.analysis.units import NO_VALUE, count, duration
from loadtest.model.fault_effect import FaultEffect
from loadtest.model.summary import PoolSummary, Summary

FAULT_HEADINGS = (
    "fault",
    "pool",
    "lasted",
    "first error",
    "errors",
    "recovered",
    "> pool_timeout",
    "lost",
    "doubled",
)


def fault_rows(summary: Summary) -> list[tuple[str, ...]]:
    """The cells under FAULT_HEADINGS, fault by fault; empty without faults."""
    most = max((len(pool.faults) for pool in summary.pools), default=0)
    return [
        _row(pool, pool.faults[number])
        for number in range(most)
        for pool in summary.pools
        if number < len(pool.faults)
    ]


def _row(pool: PoolSummary, effect: FaultEffect) -> tuple[str, ...]:
    return (
        effect.fault,
        pool.name,
        duration(effect.lasted_seconds),
        duration(effect.first_error_seconds),
        count(effect.errors),
        _recovered(effect),
        count(effect.beyond_pool_timeout),
        count(effect.lost),
        count(effect.doubled),
    )


def _recovered(effect: FaultEffect) -> str:
    if not effect.rounds or effect.recovered is None:
        return NO_VALUE
    if effect.recovery_seconds is None:
        return f"in {effect.recovered} of {effect.rounds}" if effect.recovered else "never"
    return duration(effect.recovery_seconds)
