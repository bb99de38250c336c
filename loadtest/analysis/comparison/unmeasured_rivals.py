"""Pools that may be better than the best valid one, but could not be measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

from loadtest.analysis.comparison.no_recommendation import WHAT_NEXT
from loadtest.analysis.comparison.recommendation import throughput_of
from loadtest.analysis.findings import mostly_failing
from loadtest.analysis.findings.trust_gate import DISTURBANCES
from loadtest.analysis.units import listed, rate
from loadtest.model.summary import PoolSummary

# The load generator was the limit; with the other reasons the pool itself is at fault.
_OF_THE_GENERATOR = {*DISTURBANCES, "measured_too_little"}


def unmeasured_rivals(
    chosen: PoolSummary, pools: Sequence[PoolSummary], margin: float
) -> list[PoolSummary]:
    """The pools that a disturbed load generator kept out and that may be better than the chosen.

    Their throughput is at least the chosen one's, or they have more connections and the chosen pool
    is the bottleneck. margin: the share by which the throughput may be lower.
    """
    least = (1 - margin) * throughput_of(chosen)
    bound = any(finding.code == "pool_bound" for finding in chosen.findings)
    return [
        pool
        for pool in pools
        if _disturbed(pool)
        and (throughput_of(pool) >= least or (bound and _allowed(pool) > _allowed(chosen)))
    ]


def unmeasured_sentences(
    chosen: PoolSummary, rivals: Sequence[PoolSummary], candidates: Sequence[PoolSummary]
) -> list[str]:
    """Why nothing is recommended, what to do next, and what each pool did."""
    names = listed([pool.name for pool in rivals])
    did = [f"{pool.name} {rate(throughput_of(pool))}" for pool in candidates]
    did += [f"{pool.name} {rate(throughput_of(pool))} (not valid)" for pool in rivals]
    return [
        f"No recommendation: {names} could not be measured, and may be better than {chosen.name}. "
        f"{WHAT_NEXT}",
        f"Requests per second: {listed(did)}.",
    ]


def _disturbed(pool: PoolSummary) -> bool:
    """Whether only the load generator kept a pool from being measured."""
    if pool.valid or mostly_failing.fails_mostly(pool):
        return False
    codes = {finding.code for finding in pool.findings}
    return bool(codes & _OF_THE_GENERATOR) and not _deadlocked(pool)


def _deadlocked(pool: PoolSummary) -> bool:
    return any(finding.evidence.get("deadlocked") for finding in pool.findings)


def _allowed(pool: PoolSummary) -> float:
    allowed = pool.connections.allowed
    return math.inf if allowed is None else allowed
