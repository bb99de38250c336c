"""The requests to an application by name, as `summary.json` has them."""

from __future__ import annotations

from loadtest.analysis.driven.slow_requests import explained
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.statistics.censoring import describe
from loadtest.model.request_times import RequestTimes
from loadtest.model.request_use import RequestUse, times_of_name


def request_numbers(pool: PoolRuns) -> dict[str, RequestTimes]:
    """The requests of each name over all rounds, the most frequent first; the times of successes.

    Empty unless the runs drove an application.
    """
    seen = [(name, use) for name, use in pool.requests.items() if use.count or use.unfinished.count]
    ordered = sorted(seen, key=lambda named: (-named[1].count, named[0]))
    return {name: _times(pool, name, use) for name, use in ordered}


def _times(pool: PoolRuns, name: str, use: RequestUse) -> RequestTimes:
    times = describe(pool.times(times_of_name(name), cut_off_by_waits=True))
    return RequestTimes(
        **times.model_dump(),
        count=use.count,
        failed=use.failed,
        retried=use.retried,
        unfinished=use.unfinished.count,
        error_rate=use.failed / use.count if use.count else None,
        by_status=dict(sorted(use.by_status.items())),
        explained=explained(use, times),
    )
