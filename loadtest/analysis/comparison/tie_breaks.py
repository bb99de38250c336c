"""Pools that do as much work as the best one, but not as well: unfairly, with failures, slower."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.analysis.comparison.comparer import ERROR_METRIC, REQUEST_METRIC, Comparer
from loadtest.analysis.units import duration, listed, percent
from loadtest.model.summary import PoolSummary

SOME_ERRORS = 0.001
SOME_STARVED = 0.01
_APART = "Ruled out despite a similar throughput"

PoolSummaries = Sequence[PoolSummary]


def fails_often(pool: PoolSummary) -> bool:
    """Whether more than a few of a pool's requests fail."""
    return _error_rate(pool) > SOME_ERRORS


def starving(tied: PoolSummaries) -> list[PoolSummary]:
    """Of pools that do as much, those that leave some users without, unless all of them do.

    How much is done says nothing of it: the lucky ones do the work of the others.
    """
    some = [pool for pool in tied if pool.unserved > SOME_STARVED]
    return some if len(some) < len(tied) else []


def failing(tied: PoolSummaries, compare: Comparer) -> list[PoolSummary]:
    """Of pools that do as much, those of which more requests fail than of the best in that.

    In a closed loop whose users pause, a request that fails at once costs hardly any throughput.
    """
    best = min(tied, key=_error_rate)
    some = [pool for pool in tied if pool is not best and fails_often(pool)]
    return [
        pool
        for pool in some
        if compare.pair(pool.name, best.name, ERROR_METRIC).decision == "worse"
    ]


def slower(tied: PoolSummaries, compare: Comparer) -> list[PoolSummary]:
    """Of pools that do as much, those whose requests take longer than in the quickest.

    In an open loop every pool that keeps up does what arrives; how long it takes tells them apart.
    In a closed loop slow requests are fewer requests already; with an objective, what meets it is
    quick enough.
    """
    if any(pool.arrivals is None or pool.objectives for pool in tied):
        return []
    quickest = min(tied, key=lambda pool: pool.request_seconds.p95 or 0.0)
    others = [pool for pool in tied if pool is not quickest]
    return [
        p for p in others if compare.pair(p.name, quickest.name, REQUEST_METRIC).decision == "worse"
    ]


def tie_break_sentences(
    chosen: PoolSummary, starving_: PoolSummaries, failing_: PoolSummaries, slow_: PoolSummaries
) -> list[str]:
    """Why those that do as much are not as good, a sentence each."""
    lines = []
    if starving_:
        shares = [f"{percent(pool.unserved)} with {pool.name}" for pool in starving_]
        lines.append(f"{_APART}, because users never get a connection: {listed(shares)}.")
    if failing_:
        shares = [f"{percent(pool.errors.rate)} with {pool.name}" for pool in failing_]
        mine = percent(chosen.errors.rate)
        lines.append(f"{_APART}, because more requests fail: {listed(shares)}, {mine} here.")
    if slow_:
        times = [f"{duration(pool.request_seconds.p95)} with {pool.name}" for pool in slow_]
        mine = duration(chosen.request_seconds.p95)
        lines.append(f"{_APART}, because requests take longer: p95 {listed(times)}, {mine} here.")
    return lines


def failures_beside(pool: PoolSummary, chosen: PoolSummary) -> str:
    """How much fails in a pool that is as good, where it is notably more than in the chosen."""
    there, here = _error_rate(pool), _error_rate(chosen)
    return f"; {percent(there)} of requests failed" if there > max(SOME_ERRORS, 2 * here) else ""


def _error_rate(pool: PoolSummary) -> float:
    return pool.errors.rate or 0.0
