"""Whether a pool meets its objectives."""

from pathlib import Path

import pytest
from scipy import stats

from loadtest.analysis.comparison.comparer import SIGNIFICANCE_OF_FOUR_ANALYSES
from loadtest.analysis.comparison.objective_check import check_objective, value_in_words
from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.durations import Durations
from loadtest.model.objective import parse_objective
from loadtest.model.summary import ArrivalRates, PoolSummary, Throughput
from tests.analysis.builders import interval, run, steady

FAST, SLOW = [700, 705, 690, 702, 699], [300, 301, 299, 302, 298]


def _with(pool: PoolSummary, per_second: float) -> PoolSummary:
    return pool.model_copy(update={"throughput": Throughput(per_second=per_second, ci95=None)})


@pytest.mark.parametrize(
    ("rounds", "met"),
    [
        ([700, 710, 705, 702, 708], True),
        ([600, 610, 605, 602, 608], False),
        ([640, 700, 660, 655, 690], None),
        ([700], True),
        ([640], False),
    ],
)
def test_the_interval_of_the_rounds_decides(
    pool_summary: PoolSummary, rounds: list[int], met: bool | None
) -> None:
    (bound,) = parse_objective("throughput.per_second >= 650")
    each = [_with(pool_summary, number) for number in rounds]
    result = check_objective(bound, _with(pool_summary, sum(rounds) / len(rounds)), each)
    assert result.met is met
    assert (result.ci95 is None) == (len(rounds) == 1)


@pytest.mark.parametrize(("p95", "met"), [(0.04, None), (0.06, False)])
def test_a_wait_that_may_be_longer_meets_nothing(
    pool_summary: PoolSummary, p95: float, met: bool | None
) -> None:
    (bound,) = parse_objective("checkout.wait_seconds.p95 <= 50ms")
    waits = Durations(p95=p95, at_least=("p95",))
    checkout = pool_summary.checkout.model_copy(update={"wait_seconds": waits})
    pool = pool_summary.model_copy(update={"checkout": checkout})
    assert check_objective(bound, pool, [pool, pool]).met is met


@pytest.mark.parametrize(
    ("text", "dropped", "met"),
    [
        ("request_seconds.p95 <= 50ms", 2, None),
        ("request_seconds.p95 <= 50ms", 1, True),
        ("request_seconds.p95 <= 1ms", 2, False),
        ("errors.rate <= 1%", 2, True),
    ],
)
def test_times_without_those_of_dropped_arrivals_meet_nothing(
    pool_summary: PoolSummary, text: str, dropped: int, met: bool | None
) -> None:
    """In two seconds 198 arrivals: one of them may be dropped, two are more than a hundredth."""
    (bound,) = parse_objective(text)
    arrivals = ArrivalRates(offered_per_second=99, begun_per_second=98, dropped=dropped)
    pool = pool_summary.model_copy(update={"arrivals": arrivals, "dropped": dropped})
    assert check_objective(bound, pool, [pool]).met is met


def test_what_nobody_knows_is_not_met(pool_summary: PoolSummary) -> None:
    (bound,) = parse_objective("arrivals.begun_per_second >= 5")
    result = check_objective(bound, pool_summary, [pool_summary])
    assert (result.value, result.met) == (None, None)
    assert value_in_words(result) == "–"


def test_only_a_pool_that_keeps_to_it_is_recommended(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "20+0", FAST, wait=90, started=1),
        *steady(tmp_path, "60+0", [500, 501, 499, 502, 498], wait=20, peak=60, started=2),
    ]
    summary = summarize_runs(runs, {"objective": "checkout.wait_seconds.p95 <= 50ms"})
    assert summary.verdict.recommended == "60+0"
    assert "It meets checkout.wait_seconds.p95 <= 50ms (20." in summary.verdict.text
    assert "Pools that miss it: 20+0." in summary.verdict.text
    assert summary.comparisons[0].metric == "checkout.wait_seconds.p95"
    assert verdict_exit_code(summary) == 0
    assert summarize_runs(runs).verdict.recommended == "20+0"


def test_an_objective_that_all_miss(tmp_path: Path) -> None:
    runs = steady(tmp_path, "20+0", FAST) + steady(tmp_path, "5+10", SLOW)
    summary = summarize_runs(runs, {"objective": "throughput.per_second >= 900"})
    assert summary.verdict.recommended is None
    assert summary.verdict.text.startswith("None of the pools meets throughput.per_second >= 900.")
    assert "With 20+0 throughput.per_second is 699, 95 % interval 69" in summary.verdict.text
    assert verdict_exit_code(summary) == 3


def test_an_objective_that_cannot_be_told(tmp_path: Path) -> None:
    runs = steady(tmp_path, "20+0", FAST) + steady(tmp_path, "5+10", SLOW)
    summary = summarize_runs(runs, {"objective": "throughput.per_second >= 699"})
    assert summary.verdict.recommended is None
    assert summary.verdict.text.startswith("Whether 20+0 can meet")
    assert verdict_exit_code(summary) == 5


def test_a_number_that_no_run_has_is_said_to_be_none(tmp_path: Path) -> None:
    runs = steady(tmp_path, "20+0", FAST) + steady(tmp_path, "5+10", SLOW)
    summary = summarize_runs(runs, {"objective": "arrivals.begun_per_second >= 5/s"})
    said = summary.verdict.text.splitlines()[0]
    assert said == "arrivals.begun_per_second: no run has a value for it."
    assert "more rounds may decide it" not in summary.verdict.text
    assert verdict_exit_code(summary) == 5


def test_who_looks_four_times_has_wider_intervals(tmp_path: Path) -> None:
    runs = steady(tmp_path, "20+0", FAST) + steady(tmp_path, "5+10", SLOW)
    asked = {"objective": "throughput.per_second >= 692"}
    once, often = (
        summarize_runs(runs, {**asked, "rounds": rounds}).pool("20+0").objectives[0]
        for rounds in (5, "auto")
    )
    expected = stats.t.interval(1 - SIGNIFICANCE_OF_FOUR_ANALYSES, 4, 699.2, stats.sem(FAST))
    assert often.ci95 == pytest.approx(expected)
    assert once.ci95 is not None
    assert once.ci95[0] > 692 > expected[0]
    assert (once.met, often.met) == (True, None)


@pytest.mark.parametrize(("bound", "code"), [(600, 0), (800, 3)])
def test_one_run_is_judged_by_its_value(tmp_path: Path, bound: int, code: int) -> None:
    runs = steady(tmp_path, "20+0", [700])
    summary = summarize_runs(runs, {"objective": f"throughput.per_second >= {bound}"})
    words = "met" if code == 0 else "missed"
    assert f"throughput.per_second >= {bound}: {words} (700)." in summary.verdict.text
    assert "One round has no interval, so the value alone decides." in summary.verdict.text
    assert verdict_exit_code(summary) == code


def test_an_invalid_run_meets_nothing(tmp_path: Path) -> None:
    busy = [interval(counters={"requests": 900, "cpu": 1_000_000_000})]
    summary = summarize_runs([run(tmp_path, busy)], {"objective": "throughput.per_second >= 100"})
    assert verdict_exit_code(summary) == 4
    assert summary.pools[0].objectives[0].met is None


def test_why_times_are_open_where_arrivals_were_dropped_is_told(tmp_path: Path) -> None:
    counters = {"requests": 50, "arrivals": 100, "dropped": 50}
    one = interval(counters=counters, request=[20] * 50)
    asked = {"objective": "request_seconds.p95 <= 1s"}
    summary = summarize_runs([run(tmp_path, [one])], asked)
    lines = summary.verdict.text.splitlines()
    assert "request_seconds.p95 <= 1s: undecided (20.0 ms)." in lines
    why = "rrivals were dropped, and their request times are unknown."
    assert f"A{why}" in lines
    runs = [run(tmp_path, [one], pool, n) for pool in ("5+0", "6+0") for n in range(1, 6)]
    said = summarize_runs(runs, asked).verdict.text.splitlines()[0]
    assert said.endswith(f"is undecided: a{why}")
    assert verdict_exit_code(summary) == 5
