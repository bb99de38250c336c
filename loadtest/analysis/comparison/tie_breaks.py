"""Pools with the throughput of the best one that are unfair, fail more often, or are slower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.analysis.comparison.comparer import (
    ERROR_METRIC,
    REQUEST_METRIC,
    THROUGHPUT_METRIC,
    Comparer,
)
from loadtest.analysis.findings.cross_checks import SOME_STARVED
from loadtest.analysis.units import duration, listed, percent
from loadtest.model.summary import PoolSummary

SOME_ERRORS = 0.001
_APART = "Ruled out despite a similar throughput"

PoolSummaries = Sequence[PoolSummary]


def fails_often(pool: PoolSummary) -> bool:
    """Whether more than a few of a pool's requests fail."""
    return _error_rate(pool) > SOME_ERRORS


def starving(tied: PoolSummaries) -> list[PoolSummary]:
    """The pools in which users starve, unless users starve in all of them.

    Throughput does not show starvation: the served users make up for the starved ones.
    """
    some = [pool for pool in tied if pool.unserved > SOME_STARVED]
    return some if len(some) < len(tied) else []


def failing(tied: PoolSummaries, compare: Comparer) -> list[PoolSummary]:
    """The pools with more failed requests than the pool with the fewest.

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
    """The pools whose requests take longer than those of the quickest pool.

    In an open loop, pools that keep up have the same throughput and differ in request times. In a
    closed loop slow requests reduce the throughput. With an objective, meeting it is enough.
    """
    if any(pool.arrivals is None or pool.objectives for pool in tied):
        return []
    quickest = min(tied, key=lambda pool: pool.request_seconds.p95 or 0.0)
    others = [pool for pool in tied if pool is not quickest]
    return [
        p for p in others if compare.pair(p.name, quickest.name, REQUEST_METRIC).decision == "worse"
    ]


def behind(tied: PoolSummaries, compare: Comparer) -> list[PoolSummary]:
    """The pools that clearly do less than another of these.

    A pool whose rounds differ much may be the best by its mean, and yet be told from none.
    """
    some = [
        pool
        for pool in tied
        if any(
            compare.pair(pool.name, other.name, THROUGHPUT_METRIC).decision == "worse"
            for other in tied
            if other is not pool
        )
    ]
    # Pools that share few rounds may be behind each other in a circle.
    return some if len(some) < len(tied) else []


@dataclass(frozen=True)
class TieBroken:
    """The pools that remain of those with the same throughput, and those that are not as good."""

    remaining: PoolSummaries
    behind: PoolSummaries
    starving: PoolSummaries
    failing: PoolSummaries
    slower: PoolSummaries


def tie_broken(tied: PoolSummaries, compare: Comparer) -> TieBroken:
    """Drop the pools that starve users, that fail more often, that do less, that are slower."""
    starve = starving(tied)
    fair = [pool for pool in tied if pool not in starve]
    fail = failing(fair, compare)
    sound = [pool for pool in fair if pool not in fail]
    less = behind(sound, compare)
    able = [pool for pool in sound if pool not in less]
    slow = slower(able, compare)
    return TieBroken([pool for pool in able if pool not in slow], less, starve, fail, slow)


def tie_break_sentences(chosen: PoolSummary, broken: TieBroken) -> list[str]:
    """Sentences: why pools with the same throughput are not as good."""
    lines = []
    if broken.starving:
        shares = [f"{percent(pool.unserved)} with {pool.name}" for pool in broken.starving]
        lines.append(f"{_APART}, because users never get a connection: {listed(shares)}.")
    if broken.failing:
        shares = [f"{percent(pool.errors.rate)} with {pool.name}" for pool in broken.failing]
        mine = percent(chosen.errors.rate)
        lines.append(f"{_APART}, because more requests fail: {listed(shares)}, {mine} here.")
    if broken.slower:
        times = [f"{duration(pool.request_seconds.p95)} with {pool.name}" for pool in broken.slower]
        mine = duration(chosen.request_seconds.p95)
        lines.append(f"{_APART}, because requests take longer: p95 {listed(times)}, {mine} here.")
    return lines


def failures_beside(pool: PoolSummary, chosen: PoolSummary) -> str:
    """The failed requests of an equal pool, if they are notably more than the chosen one's."""
    there, here = _error_rate(pool), _error_rate(chosen)
    return f"; {percent(there)} of requests failed" if there > max(SOME_ERRORS, 2 * here) else ""


def _error_rate(pool: PoolSummary) -> float:
    return pool.errors.rate or 0.0
