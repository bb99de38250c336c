"""Connections that were never given back, and why no size of a pool makes up for them."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.analysis.units import count, listed, plural, rate
from loadtest.model.summary import PoolSummary

# A pool that lost so much of its connections did not do badly, or well, for its size.
LOST_SHARE = 0.5


def lost_connections(pool: PoolSummary) -> float:
    """The connections that ended tasks still held at the end of a round, on average."""
    leaks = [finding for finding in pool.findings if finding.code == "leak"]
    return sum(sum(leak.evidence["kept"].values()) for leak in leaks) / max(pool.rounds, 1)


def is_drained(pool: PoolSummary) -> bool:
    """Whether a pool lost most of its connections."""
    return lost_connections(pool) > LOST_SHARE * (pool.connections.peak or 0)


def leak_sentences(pools: Sequence[PoolSummary]) -> list[str]:
    """Why none of these pools is recommended, and what each did until it ran dry."""
    ranked = sorted(pools, key=lambda pool: -(pool.throughput.per_second or 0.0))
    did = [
        f"{pool.name} {rate(pool.throughput.per_second)} (it lost "
        f"{count(lost_connections(pool))} of {plural(pool.connections.peak or 0, 'connection')})"
        for pool in ranked
    ]
    return [
        "No pool can be recommended before the leak is repaired: tasks ended without giving their "
        "connections back, and a larger pool only takes longer to run dry.",
        f"Requests per second until then: {listed(did)}. The finding says which task it is.",
    ]
