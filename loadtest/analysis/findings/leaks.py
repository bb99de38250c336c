"""Connections that were never returned, which no pool size makes up for."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.analysis.units import count, listed, plural, rate
from loadtest.model.summary import PoolSummary

# The size of a pool that lost a larger share of its connections explains nothing.
LOST_SHARE = 0.5


def is_drained(pool: PoolSummary) -> bool:
    """Whether a pool lost most of its connections."""
    return pool.unreturned > LOST_SHARE * (pool.connections.peak or 0)


def leak_sentences(pools: Sequence[PoolSummary]) -> list[str]:
    """Why none of these pools is recommended, and what each did before the leak stopped it."""
    ranked = sorted(pools, key=lambda pool: -(pool.throughput.per_second or 0.0))
    did = [
        f"{pool.name} {rate(pool.throughput.per_second)} (it lost {count(pool.unreturned)} of "
        f"{plural(pool.connections.peak or 0, 'connection')})"
        for pool in ranked
    ]
    whose, where = "Tasks", "task"
    if any(pool.application for pool in pools):
        whose, where = "Requests", "place in the application's code"
    return [
        f"No pool can be recommended before the leak is fixed. {whose} ended without returning "
        "their connections, and a larger pool only takes longer to run out of them.",
        f"Requests per second until then: {listed(did)}. The finding names the {where}.",
    ]


def leak_flaw(pool: PoolSummary) -> list[str]:
    """That a pool does not get all of its connections back, for a verdict that recommends it."""
    if not any(finding.code == "leak" for finding in pool.findings):
        return []
    return [
        f"With {pool.name} connections are returned late or not at all (see the finding leak). Fix "
        "the leak first: a larger pool only takes longer to run out of them."
    ]
