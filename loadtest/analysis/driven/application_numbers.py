"""The numbers of a driven application, as `summary.json` has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from loadtest.analysis.driven.driven_pool import recorded_summary
from loadtest.analysis.driven.server_concurrency import driven_part, server_concurrency
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.round import Round
from loadtest.analysis.statistics.censoring import CensoredTimes, describe
from loadtest.model.distribution import Distribution
from loadtest.model.driven_summary import DrivenProcess, DrivenSummary, RouteUse
from loadtest.model.interval import SECOND, Interval
from loadtest.model.recorded_places import RecordedPlace
from loadtest.model.task_use import TaskUse


def driven_summary(pool: PoolRuns) -> DrivenSummary | None:
    """The application of a pool; None if its runs drove none, or if it recorded nothing."""
    driven, recorded = driven_part(pool), recorded_summary(pool)
    if driven is None or recorded is None:
        return None
    processes = tuple(_processes(pool))
    seconds = sum(one.seconds for one in processes)
    return DrivenSummary(
        name=driven.name,
        engine=recorded.name,
        place=driven.place,
        database=driven.database,
        concurrency=server_concurrency(pool),
        in_use=pool.mean_level("in_use"),
        cpu=sum((one.cpu or 0.0) * one.seconds for one in processes) / seconds if seconds else None,
        loop_lag_seconds=describe(pool.times("loop_lag")),
        processes=processes,
        places=recorded.places,
        routes=_routes(pool, recorded.places),
        shortages=recorded.shortages,
    )


def _processes(pool: PoolRuns) -> Iterator[DrivenProcess]:
    for round_ in pool.rounds:
        for process in round_.data.application_processes.values():
            yield _process(round_, process.total)


def _process(round_: Round, total: Interval) -> DrivenProcess:
    waits = CensoredTimes(total.histograms.get("wait", Distribution()), total.unfinished)
    lag = CensoredTimes(total.histograms.get("loop_lag", Distribution()))
    length, gauges = max(total.length, 1), total.gauges
    return DrivenProcess(
        process=total.process,
        round=round_.run.header.round,
        seconds=total.length / SECOND,
        checkouts=total.counters["checkouts"],
        timeouts=total.counters["timeouts"],
        wait_seconds=describe(waits),
        in_use=gauges["in_use"].integral / length if "in_use" in gauges else 0.0,
        peak=gauges["open"].max if "open" in gauges else None,
        cpu=total.counters["cpu"] / length,
        loop_lag_p99_seconds=describe(lag).p99,
    )


def _routes(pool: PoolRuns, places: Sequence[RecordedPlace]) -> dict[str, RouteUse]:
    """The use by route, the one with the most checkouts first."""
    checkouts: Counter[str] = Counter()
    for place in places:
        checkouts.update(place.routes)
    names = sorted(name for name in {*checkouts, *pool.tasks} if name)
    names.sort(key=lambda name: -checkouts[name])
    return {name: _route(pool.tasks.get(name, TaskUse()), checkouts[name]) for name in names}


def _route(use: TaskUse, checkouts: int) -> RouteUse:
    return RouteUse(
        checkouts=checkouts,
        hold_seconds_mean=use.hold / use.holds / SECOND if use.holds else None,
        querying=min(1.0, use.query / use.hold) if use.hold else None,
        nested=use.nested,
    )
