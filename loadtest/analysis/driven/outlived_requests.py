"""Holds of a driven application that are older than the requests that may hold a connection.

A recording has to wait until a hold is very old. A driven run also knows the requests in progress,
so a connection that none of them can hold was not returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loadtest.analysis.driven.measured_process import OUTLIVES_REQUESTS, MeasuredProcess
from loadtest.analysis.driven.server_concurrency import MEASURED_AT_ONCE, server_concurrency
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.recordings.kept_holds import LONG_KEPT, OldHolds
from loadtest.analysis.round import Round
from loadtest.model.distribution import Distribution
from loadtest.model.request_use import ages_in_progress

# Both sides are cut at the ends of their own seconds.
_BETWEEN_CUTS = 1.0


def holds_without_request(
    pool: PoolRuns, round_: Round, process: MeasuredProcess
) -> Sequence[OldHolds]:
    """The old holds of a process at the end, without those that a request may hold.

    Each request counts at every place of every process. Without known requests, very old holds.
    """
    old = process.kept.old()
    if not round_.knows_requests:
        return [one for one in old if one.age >= LONG_KEPT]
    held = _holding_requests(pool, round_)
    return [replace(one, number=one.number - held) for one in old if one.number > held]


def _holding_requests(pool: PoolRuns, round_: Round) -> int:
    """The most requests that may have held a connection since before the last seconds.

    A request that waits for a connection holds none, nor does one that no thread serves yet.
    """
    waits, requests = round_.together.unfinished, ages_in_progress(round_.together.requests)
    most = _old(requests) - _old(waits)
    found = server_concurrency(pool)
    if found.source != MEASURED_AT_ONCE:
        most = min(most, found.requests * round_.most_at_once - waits.count)
    return max(most, 0)


def _old(ages: Distribution) -> int:
    return ages.longer_than(OUTLIVES_REQUESTS - _BETWEEN_CUTS)
