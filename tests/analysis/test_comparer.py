"""Pools against one another."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from loadtest.analysis.comparison.comparer import (
    COMPARED_METRICS,
    SIGNIFICANCE_OF_FOUR_ANALYSES,
    THROUGHPUT_METRIC,
    Comparer,
    ComparisonRule,
    Difference,
    decide,
    holm,
)
from loadtest.analysis.pool_numbers import numbers_by_round
from loadtest.analysis.pool_runs import gather
from loadtest.model.experiment import INTERIM_ROUNDS
from loadtest.runfile.reader import Run
from tests.analysis.builders import interval, run, steady

ONE, OTHER = [646, 655, 640, 662, 650], [689, 700, 675, 698, 694]
WAIT_P95 = "checkout.wait_seconds.p95"


def _comparer(runs: list[Run], **how: Any) -> Comparer:
    return Comparer({pool.name: numbers_by_round(pool) for pool in gather(runs).pools}, **how)


def _pools(folder: Path, **rounds: list[int]) -> Comparer:
    runs = [one for name, each in rounds.items() for one in steady(folder, f"{name}:20+0", each)]
    return _comparer(runs)


def test_the_ratio_and_its_interval_are_those_of_a_paired_t_test(tmp_path: Path) -> None:
    result = _pools(tmp_path, a=ONE, b=OTHER).pair("b", "a")
    expected = stats.ttest_rel(np.log(OTHER), np.log(ONE)).confidence_interval(0.95)
    assert result.ci95 == pytest.approx((np.exp(expected.low), np.exp(expected.high)))
    assert result.ratio == pytest.approx(stats.gmean(OTHER) / stats.gmean(ONE))
    assert (result.decision, result.role, result.rounds) == ("better", "primary", 5)


def test_results_of_different_times_are_compared_by_welchs_test(tmp_path: Path) -> None:
    runs = steady(tmp_path, "a:20+0", ONE) + steady(tmp_path, "b:20+0", OTHER)
    result = _comparer(runs, together=False).pair("b", "a")
    expected = stats.ttest_ind(np.log(OTHER), np.log(ONE), equal_var=False)
    low, high = expected.confidence_interval(0.95)
    assert result.ci95 == pytest.approx((np.exp(low), np.exp(high)))
    unpaired = Difference.between(np.log(OTHER).tolist(), np.log(ONE).tolist())
    assert unpaired.chances(0.05)[0] == pytest.approx(expected.pvalue)


def test_the_other_way_round_is_the_inverse(tmp_path: Path) -> None:
    compare = _pools(tmp_path, a=ONE, b=OTHER)
    there, back = compare.pair("b", "a"), compare.pair("a", "b")
    assert back.decision == "worse"
    assert there.ci95 is not None
    assert back.ci95 == pytest.approx((1 / there.ci95[1], 1 / there.ci95[0]))


def test_a_longer_wait_is_worse(tmp_path: Path) -> None:
    runs = steady(tmp_path, "a:20+0", [100] * 5) + steady(tmp_path, "b:20+0", [100] * 5, wait=30)
    result = _comparer(runs).pair("b", "a", WAIT_P95)
    assert result.ratio == pytest.approx(3, rel=0.02)
    assert result.decision == "worse"


def test_a_wait_that_is_only_bounded_is_not_compared(tmp_path: Path) -> None:
    starving: dict[str, Any] = {"wait": [2] * 10, "unfinished": [900] * 10}
    parts = [interval(counters={"requests": 10}, **starving)]
    runs = [run(tmp_path, parts, pool, n) for pool in ("a:20+0", "b:20+0") for n in range(1, 6)]
    result = _comparer(runs).pair("b", "a", WAIT_P95)
    assert (result.ratio, result.ci95, result.decision) == (None, None, "undecided")
    assert result.further_rounds is None


@pytest.mark.parametrize(("wait", "decision"), [(1, "undecided"), (10, "undecided"), (30, "worse")])
def test_rounds_that_are_only_bounded_make_nothing_better(
    tmp_path: Path, wait: int, decision: str
) -> None:
    """Five rounds are known, a sixth is longer than known: it may only confirm what is worse."""
    starving = interval(counters={"requests": 10}, wait=[wait] * 10, unfinished=[900] * 10)
    runs = [
        *steady(tmp_path, "a:20+0", [100] * 6),
        *steady(tmp_path, "b:20+0", [100] * 5, wait=wait),
        run(tmp_path, [starving], "b:20+0", 6),
    ]
    compare = _comparer(runs)
    result = compare.pair("b", "a", WAIT_P95)
    assert (result.rounds, result.decision, result.further_rounds) == (5, decision, None)
    turned = {"worse": "better"}.get(decision, decision)
    assert compare.pair("a", "b", WAIT_P95).decision == turned


def test_only_rounds_that_both_have_are_paired(tmp_path: Path) -> None:
    result = _pools(tmp_path, a=[100, 100], b=[200]).pair("b", "a")
    assert result.ratio == pytest.approx(2)
    assert (result.ci95, result.decision, result.further_rounds) == (None, "undecided", 4)


def test_fewer_than_five_rounds_decide_nothing(tmp_path: Path) -> None:
    result = _pools(tmp_path, a=ONE[:4], b=OTHER[:4]).pair("b", "a")
    assert (result.decision, result.further_rounds) == ("undecided", 1)


def test_a_pool_in_which_nothing_succeeds_is_worse(tmp_path: Path) -> None:
    result = _pools(tmp_path, a=[100, 110, 105, 104, 99], b=[0] * 5).pair("b", "a")
    assert result.decision == "worse"
    assert 0 < (result.ratio or 0) < 0.01


def test_errors_that_nobody_has_are_no_difference_and_many_are(tmp_path: Path) -> None:
    runs = steady(tmp_path, "a:20+0", [100] * 5) + steady(tmp_path, "b:20+0", [150] * 5)
    assert _comparer(runs).pair("b", "a", "errors.rate").decision == "equivalent"
    failing = steady(tmp_path, "c:20+0", [140, 150, 155, 150, 145], failures=9)
    found = _comparer([*runs, *failing]).pair("c", "a", "errors.rate")
    assert found.decision == "worse"


@pytest.mark.parametrize(
    ("difference", "different", "equivalent", "decision"),
    [
        (0.1, 1.0, 1.0, "undecided"),
        (0.1, 0.04, 0.9, "better"),
        (-0.1, 0.05, 0.9, "worse"),
        (0.01, 0.5, 0.05, "equivalent"),
        (0.02, 0.01, 0.01, "equivalent"),
        (0.1, 0.051, 0.051, "undecided"),
    ],
)
def test_what_the_chances_decide(
    difference: float, different: float, equivalent: float, decision: str
) -> None:
    chances = (different, equivalent, 0.05)
    assert decide(difference, *chances, more_is_better=True) == decision
    turned = {"better": "worse", "worse": "better"}.get(decision, decision)
    assert decide(difference, *chances, more_is_better=False) == turned


@given(st.lists(st.floats(-0.3, 0.3), min_size=5, max_size=20), st.floats(0.01, 0.3))
def test_decisions_by_chance_are_those_by_interval(values: list[float], margin: float) -> None:
    found = Difference.paired(values)
    different, alike = found.chances(margin)
    low, high = found.interval(0.05) or (0.0, 0.0)
    edge = math.log1p(margin)
    close = min(abs(bound - at) for bound in (low, high) for at in (-edge, 0, edge))
    if close > 1e-9:
        assert (different <= 0.05) == (not low <= 0 <= high)
        assert (alike <= 0.05) == (-edge <= low and high <= edge)


def test_the_further_rounds_would_decide_if_they_were_like_these() -> None:
    values = [0.02, 0.12, -0.03, 0.09, 0.05]
    more = Difference.paired(values).further_rounds(ComparisonRule())
    assert more is not None
    spread, middle = np.std(values, ddof=1), np.mean(values)

    def decided(rounds: int) -> bool:
        half = stats.t.ppf(0.975, rounds - 1) * spread / math.sqrt(rounds)
        return bool(abs(middle) > half or abs(middle) + half < math.log1p(0.05))

    assert decided(5 + more)
    assert not decided(5 + more - 1)


def test_a_difference_just_at_the_margin_would_take_very_many_rounds() -> None:
    values = [math.log(1.05) + error for error in (0.9, -0.9, 0.8, -0.8, 0.0)]
    assert Difference.paired(values).further_rounds(ComparisonRule(margin=1e-6)) is None


def test_holms_correction() -> None:
    # From the example in Holm's article: 0.01, 0.04, 0.03 and 0.005 of four tests.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_one_metric_decides_and_the_others_are_corrected(tmp_path: Path) -> None:
    compare = _pools(tmp_path, a=ONE, b=OTHER)
    found = compare.against_baseline(["a", "b"], "a")
    assert [one.metric for one in found] == list(COMPARED_METRICS)
    assert [one.role for one in found] == ["primary", *["secondary"] * 6]
    other = Comparer(compare.rounds, ComparisonRule(primary="errors.rate")).against_baseline(
        ["a", "b"], "a"
    )
    assert other[0].metric == "errors.rate"
    assert {one.metric for one in other} == set(COMPARED_METRICS)


def test_a_secondary_difference_needs_more_than_a_primary_one(tmp_path: Path) -> None:
    noisy = [660, 661, 655, 663, 661]
    compare = _pools(tmp_path, a=[640, 645, 652, 659, 650], b=noisy)
    alone = compare.pair("b", "a", THROUGHPUT_METRIC)
    margin = Comparer(compare.rounds, ComparisonRule(primary="errors.rate", margin=0.001))
    among = next(
        c for c in margin.against_baseline(["a", "b"], "a") if c.metric == THROUGHPUT_METRIC
    )
    assert alone.ci95 == among.ci95
    assert margin.pair("b", "a", THROUGHPUT_METRIC).decision == "better"
    assert among.decision == "undecided"
    assert among.further_rounds is not None


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(1, 1000), min_size=5, max_size=7))
def test_a_pool_is_as_good_as_itself(tmp_path: Path, rounds: list[int]) -> None:
    compare = _pools(tmp_path, a=rounds, b=rounds)
    for result in compare.against_baseline(["a", "b"], "a"):
        assert (result.ratio, result.ci95) == (1, pytest.approx((1, 1)))
        assert result.decision == "equivalent"


@pytest.mark.parametrize("analyses", [INTERIM_ROUNDS[:1], INTERIM_ROUNDS])
def test_the_same_pool_twice_is_rarely_told_apart_from_itself(analyses: tuple[int, ...]) -> None:
    """At most one of twenty comparisons of equals may end in a difference, looked at as it may."""
    random = np.random.default_rng(3)
    rule = ComparisonRule(level=SIGNIFICANCE_OF_FOUR_ANALYSES if len(analyses) > 1 else 0.05)
    wrong = 0
    for _ in range(2000):
        rounds = random.normal(0, 0.2, analyses[-1]).tolist()
        chances = [Difference.paired(rounds[:n]).chances(rule.margin) for n in analyses]
        wrong += any(different <= rule.level for different, _ in chances)
    assert 0.035 < wrong / 2000 < 0.065
