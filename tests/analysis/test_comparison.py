"""Pools against one another."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from loadtest.analysis.comparison import THROUGHPUT, WAIT_P95, compare, decide
from loadtest.analysis.measured import PoolRuns, gather
from tests.analysis.builders import interval, run, steady

ONE, OTHER = [646, 655, 640, 662, 650], [689, 700, 675, 698, 694]


def _pools(folder: Path, **rounds: list[int]) -> dict[str, PoolRuns]:
    runs = [one for name, each in rounds.items() for one in steady(folder, f"{name}:20+0", each)]
    return {pool.name: pool for pool in gather(runs).pools}


def test_the_ratio_and_its_interval_are_those_of_a_paired_t_test(tmp_path: Path) -> None:
    pools = _pools(tmp_path, a=ONE, b=OTHER)
    result = compare(pools["b"], pools["a"], THROUGHPUT)
    expected = stats.ttest_rel(np.log(OTHER), np.log(ONE)).confidence_interval(0.95)
    assert result.ci95 == pytest.approx((np.exp(expected.low), np.exp(expected.high)))
    assert result.ratio == pytest.approx(stats.gmean(OTHER) / stats.gmean(ONE))
    assert result.decision == "better"


def test_the_other_way_round_is_the_inverse(tmp_path: Path) -> None:
    pools = _pools(tmp_path, a=ONE, b=OTHER)
    there = compare(pools["b"], pools["a"], THROUGHPUT)
    back = compare(pools["a"], pools["b"], THROUGHPUT)
    assert back.decision == "worse"
    assert there.ci95 is not None
    assert back.ci95 == pytest.approx((1 / there.ci95[1], 1 / there.ci95[0]))


def test_a_longer_wait_is_worse(tmp_path: Path) -> None:
    runs = steady(tmp_path, "a:20+0", [100] * 3) + steady(tmp_path, "b:20+0", [100] * 3, wait=30)
    a, b = gather(runs).pools
    result = compare(b, a, WAIT_P95)
    assert result.ratio == pytest.approx(3, rel=0.02)
    assert result.decision == "worse"


def test_a_wait_that_is_only_bounded_is_not_compared(tmp_path: Path) -> None:
    starving: dict[str, Any] = {"wait": [2] * 10, "unfinished": [900] * 10}
    parts = [interval(counters={"requests": 10}, **starving)]
    runs = [run(tmp_path, parts, pool, n) for pool in ("a:20+0", "b:20+0") for n in (1, 2)]
    result = compare(*gather(runs).pools, WAIT_P95)
    assert (result.ratio, result.ci95, result.decision) == (None, None, "undecided")


def test_only_rounds_that_both_have_are_paired(tmp_path: Path) -> None:
    pools = _pools(tmp_path, a=[100, 100], b=[200])
    result = compare(pools["b"], pools["a"], THROUGHPUT)
    assert result.ratio == pytest.approx(2)
    assert (result.ci95, result.decision) == (None, "undecided")


def test_a_pool_in_which_nothing_succeeds_is_worse(tmp_path: Path) -> None:
    pools = _pools(tmp_path, a=[100, 110, 105], b=[0, 0, 0])
    result = compare(pools["b"], pools["a"], THROUGHPUT)
    assert result.decision == "worse"
    assert 0 < (result.ratio or 0) < 0.01


@pytest.mark.parametrize(
    ("ci95", "decision"),
    [
        (None, "undecided"),
        ((1.02, 1.20), "better"),
        ((0.80, 0.97), "worse"),
        ((0.90, 1.20), "undecided"),
        ((0.96, 1.04), "equivalent"),
        ((1.01, 1.04), "equivalent"),
        ((1.0, 1.2), "undecided"),
    ],
)
def test_what_an_interval_decides(ci95: tuple[float, float], decision: str) -> None:
    assert decide(ci95, more_is_better=True) == decision
    turned = {"better": "worse", "worse": "better"}.get(decision, decision)
    assert decide(ci95, more_is_better=False) == turned


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 1000), min_size=2, max_size=5))
def test_a_pool_is_as_good_as_itself(tmp_path: Path, rounds: list[int]) -> None:
    pools = _pools(tmp_path, a=rounds, b=rounds)
    for metric in (THROUGHPUT, WAIT_P95):
        result = compare(pools["a"], pools["b"], metric)
        assert (result.ratio, result.ci95, result.decision) == (1, (1, 1), "equivalent")


def test_the_same_pool_twice_is_rarely_told_apart_from_itself() -> None:
    """An interval of 95 % leaves out the truth in one of twenty cases, and no more often."""
    from loadtest.analysis.estimate import interval95

    random = np.random.default_rng(3)
    outside = 0
    for _ in range(2000):
        low, high = interval95(list(random.normal(0, 0.05, 5))) or (0, 0)
        outside += not low <= 0 <= high
    assert 0.035 < outside / 2000 < 0.065
