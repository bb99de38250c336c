"""The same load on a pool that is too small, and on one that is larger than it needs."""

from __future__ import annotations

import pytest

from tests.findings.runs import Found, Provoked

pytestmark = pytest.mark.provoked
LOAD = "-u 40 -r 40 -t 5s --warmup 1s"


@pytest.fixture(scope="module")
def pools(provoked: Provoked) -> dict[str, Found]:
    return provoked.found_in(
        "pool-sizes",
        "query.py",
        small=f"{LOAD} --pool-size 4 --max-overflow 0",
        large=f"{LOAD} --pool-size 40 --max-overflow 80",
    )


def test_a_full_pool_is_the_bottleneck_while_the_database_has_room(
    pools: dict[str, Found],
) -> None:
    evidence = pools["small"]["pool_bound"].evidence
    assert evidence["limit"] == 4
    assert 3.6 < evidence["in_use"] <= 4
    assert evidence["in_use"] < evidence["waiting"] < 36
    assert evidence["locked"] == 0


def test_a_pool_with_a_connection_for_everybody_is_no_bottleneck(pools: dict[str, Found]) -> None:
    assert "pool_bound" not in pools["large"]


def test_connections_that_no_user_can_need_are_told(pools: dict[str, Found]) -> None:
    evidence = pools["large"]["never_needed"].evidence
    assert evidence["allowed"] == 120
    assert 10 < evidence["peak"] <= 40
    assert "never_needed" not in pools["small"]


def test_percentiles_of_few_waits_are_told(pools: dict[str, Found]) -> None:
    # 4 connections x 50 queries a second x 4 seconds: too few for p99, enough for p95.
    evidence = pools["small"]["few_samples"].evidence
    assert evidence["percentiles"] == ["p99"]
    assert 200 <= evidence["waits"] < 1000
    assert "few_samples" not in pools["large"]


def test_users_with_a_connection_each_and_waits_that_end_are_accounted_for(
    pools: dict[str, Found],
) -> None:
    for findings in pools.values():
        laws = {"users_unaccounted", "waiters_unaccounted", "connections_unaccounted"}
        assert not laws & findings.keys()
