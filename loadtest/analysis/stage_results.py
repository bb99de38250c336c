"""The stages of a load, each with its own numbers."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.statistics.censoring import describe
from loadtest.analysis.statistics.estimate import mean
from loadtest.model.summary import StageResult


def stage_results(pool: PoolRuns) -> Iterator[StageResult]:
    """A row for each stage of a pool's load, in their order; none if it has no stages."""
    begin = 0.0
    for stage in pool.stages:
        yield _row(pool.stage(stage.name), stage.name, begin)
        begin += stage.duration


def _row(pool: PoolRuns, name: str, begin: float) -> StageResult:
    counters, seconds = pool.counters, pool.seconds
    opened_loop = "schedule_lag" in pool.rounds[0].together.histograms if pool.rounds else False
    return StageResult(
        name=name,
        begin=begin,
        seconds=seconds,
        users=pool.mean_level("users"),
        arrivals_per_second=counters["arrivals"] / seconds if opened_loop and seconds else None,
        throughput_per_second=mean([round_.throughput for round_ in pool.rounds]),
        wait_seconds=describe(pool.times("wait", cut_off_by_waits=True)),
        request_seconds=describe(pool.times("request", cut_off_by_waits=True)),
        timeouts=counters["timeouts"],
        error_rate=counters["failures"] / counters["requests"] if counters["requests"] else None,
        connections_peak=pool.peak("open"),
        opened=counters["opened"],
    )
