"""The table of stages on the page: a row per stage and pool."""

from __future__ import annotations

from loadtest.analysis.units import count, level, marked_duration, percent, rate
from loadtest.model.summary import PoolSummary, StageResult, Summary

STAGE_HEADINGS = (
    "stage",
    "pool",
    "load",
    "ok/s",
    "wait p95",
    "request p95",
    "request p99",
    "timeouts",
    "errors",
    "peak",
    "opened",
)


def stage_rows(summary: Summary) -> list[tuple[str, ...]]:
    """The cells under STAGE_HEADINGS, stage by stage; none if the load has no stages."""
    most = max((len(pool.stages) for pool in summary.pools), default=0)
    return [
        _row(pool, pool.stages[number])
        for number in range(most)
        for pool in summary.pools
        if number < len(pool.stages)
    ]


def _row(pool: PoolSummary, stage: StageResult) -> tuple[str, ...]:
    arrivals = stage.arrivals_per_second
    return (
        stage.name,
        pool.name,
        f"{level(stage.users)} users" if arrivals is None else f"{rate(arrivals)}/s",
        rate(stage.throughput_per_second),
        marked_duration(stage.wait_seconds, "p95"),
        marked_duration(stage.request_seconds, "p95"),
        marked_duration(stage.request_seconds, "p99"),
        count(stage.timeouts),
        percent(stage.error_rate),
        count(stage.connections_peak),
        count(stage.opened),
    )
