"""A process with several engines has several pools, which add up."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.analysis.fleet.capacity import Capacity, Fleet, ServerLimits
from loadtest.analysis.fleet.capacity_findings import fleet_capacity


def pool(size: int, overflow: int, **more: Any) -> dict[str, Any]:
    return {"pool_size": size, "max_overflow": overflow, **more}


MAIN, AUDIT = pool(20, 10), pool(1, 0)


def answer(*pools: dict[str, Any], most: int = 151, **changes: Any) -> Capacity:
    """Ten processes with these pools against a server."""
    first, *further = pools
    said = {"processes": 10, "replicas": 1, "surge": 0, "pool": first, **changes}
    return fleet_capacity(Fleet(further_pools=further, **said), ServerLimits(max_connections=most))


def test_the_pools_of_a_process_add_up() -> None:
    found = answer(MAIN, AUDIT)
    assert {step.name: step.connections for step in found.steps} == {
        "running": 10 * 21,
        "all pools full": 310,
    }
    assert not found.fits
    assert found.needed == 310 + 10
    assert "310 connections (10 processes × ((20 + 10) + (1 + 0)))" in found.verdict
    assert "To keep these pools, the server needs at least max_connections = 320" in found.verdict
    assert answer(MAIN, AUDIT, most=320).fits


@pytest.mark.parametrize("order", [(MAIN, AUDIT), (AUDIT, MAIN)])
def test_their_order_changes_nothing_about_the_sum(order: tuple[dict[str, Any], ...]) -> None:
    assert answer(*order).worst.connections == 310


def test_one_pool_is_as_before() -> None:
    found = answer(AUDIT)
    assert found.fits
    assert "10 connections (10 processes × (1 + 0))" in found.verdict


def test_one_pool_without_a_limit_leaves_the_sum_without_one() -> None:
    found = answer(MAIN, pool(5, -1))
    assert found.worst.connections is None
    assert "a pool without a limit" in found.verdict
    assert found.safe[0].pool_size is None
    assert "With the further pools as they are, no first pool is safe." in found.verdict


def test_a_thread_uses_a_connection_of_each_pool() -> None:
    found = answer(MAIN, pool(5, -1), threads=8)
    assert found.worst.connections == 10 * (8 + 8)
    assert "10 processes × (8 threads + 8 threads)" in found.verdict


def test_the_safe_pool_is_the_first_one_beside_the_others() -> None:
    found = answer(MAIN, AUDIT)
    without_overflow = found.safe[-1]
    assert (without_overflow.pool_size, without_overflow.max_overflow) == (13, 0)
    assert without_overflow.connections == 10 * (13 + 1)
    assert "the largest safe first pool per process is" in found.verdict
    assert answer(pool(13, 0), AUDIT).fits
    assert not answer(pool(14, 0), AUDIT).fits
    with_threads = answer(pool(20, 0), AUDIT, threads=5)
    assert (with_threads.safe[-1].pool_size, with_threads.safe[-1].connections) == (5, 60)
