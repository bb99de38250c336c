"""Intervals of few rounds, decisions that a correction takes away, and marks beside names."""

from pathlib import Path

import pytest

from loadtest.analysis.summarize import summarize, summarize_runs
from loadtest.model.summary import Comparison
from loadtest.report.comparison_rows import decision_in_words
from loadtest.report.html import report_page
from loadtest.report.pool_table import throughput_interval
from loadtest.report.render import read_measurements
from tests.analysis.builders import steady
from tests.report.test_overview import result


@pytest.mark.parametrize(("rounds", "shown"), [(1, False), (2, False), (3, True)])
def test_an_interval_needs_three_rounds(tmp_path: Path, rounds: int, shown: bool) -> None:
    (pool,) = summarize_runs(steady(tmp_path, "20+0", [700, 100, 400][:rounds])).pools
    assert bool(throughput_interval(pool)) is shown


def compared(ci95: tuple[float, float], role: str = "secondary", rounds: int = 5) -> str:
    one = Comparison(
        pool="20+0",
        baseline="default",
        metric="request_seconds.p95",
        role=role,  # type: ignore[arg-type]
        rounds=rounds,
        ratio=1.3,
        ci95=ci95,
        decision="undecided",
        further_rounds=3,
    )
    return decision_in_words(one)


def test_an_interval_without_1_is_undecided_because_of_the_correction() -> None:
    assert compared((1.08, 1.54)) == (
        "undecided (not significant after the correction for several comparisons): about 3 more "
        "rounds would decide"
    )


def test_other_undecided_comparisons_lack_rounds() -> None:
    plain = "undecided: about 3 more rounds would decide"
    assert compared((0.9, 1.54)) == plain
    assert compared((1.08, 1.54), role="primary") == plain
    assert compared((1.08, 1.54), rounds=4) == plain


def test_a_pool_that_is_not_valid_is_marked_beside_its_name(tmp_path: Path) -> None:
    page = report_page(summarize(read_measurements([result(tmp_path)])), [])
    assert page.count('20+0<small class="bad">not valid</small></th>') == 1
