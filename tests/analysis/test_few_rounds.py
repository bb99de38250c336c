"""Fewer than five rounds give figures and a tentative answer, and no recommendation."""

from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.comparison.few_rounds import few_rounds_warning, too_few_rounds
from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.summary import Finding, Summary
from tests.analysis.builders import steady
from tests.cli.test_cli import Loadtest
from tests.conftest import ROOT


def summary_of(folder: Path, objective: str = "", **pools: Any) -> Summary:
    """Two rounds of each pool; its requests per second and its connections."""
    runs = [
        run
        for name, (per_second, peak) in pools.items()
        for run in steady(folder, f"{name}:20+0", [per_second, per_second], peak=peak)
    ]
    plan = {"objective": objective, "pool": [run.told["pool"] for run in runs[::2]]}
    return summarize_runs(runs, plan if objective else None)


def test_the_pool_that_did_most_is_the_tentative_answer(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, small=(300, 5), large=(700, 40))
    headline, why, figures = summary.verdict.text.splitlines()
    assert headline == (
        "Tentative: large (pool_size=20, max_overflow=0), with which 700 requests succeeded per "
        "second in 2 rounds."
    )
    assert why.startswith("With fewer than 5 complete rounds, a difference")
    assert figures.startswith("Requests per second so far: large 700 and small 300.")
    assert (summary.verdict.recommended, verdict_exit_code(summary)) == (None, 5)


def test_of_pools_that_do_about_the_same_it_is_the_one_with_fewer_connections(
    tmp_path: Path,
) -> None:
    text = summary_of(tmp_path, small=(690, 5), large=(700, 40)).verdict.text
    assert text.startswith("Tentative: small (")
    assert "about as many as with large, which needs more connections" in text


def test_a_pool_that_misses_the_objective_is_no_tentative_answer(tmp_path: Path) -> None:
    at_most_ten = "connections.peak <= 10"
    summary = summary_of(tmp_path, at_most_ten, small=(300, 5), large=(700, 40))
    assert summary.verdict.text.startswith("Tentative: small (")
    nobody = summary_of(tmp_path, "connections.peak <= 1", small=(300, 5), large=(700, 40))
    assert "Tentative" not in nobody.verdict.text
    assert nobody.verdict.text.startswith("None of the pools meets connections.peak <= 1")
    assert verdict_exit_code(nobody) == 3


def tentative(folder: Path, **changed: Any) -> list[str]:
    """The answer about two pools with about the same throughput; the smaller one is changed."""
    small, large = summary_of(folder, small=(690, 5), large=(700, 40)).pools
    return too_few_rounds([small.model_copy(update=changed), large], 0.05)


def test_a_pool_that_lost_its_connections_to_a_leak_is_no_tentative_answer(tmp_path: Path) -> None:
    headline, did, *_ = tentative(tmp_path, unreturned=4.0)
    assert headline.startswith("No pool can be recommended before the leak is fixed.")
    assert "small 690 (it lost 4 of 5 connections)" in did


def test_a_pool_in_which_users_starve_is_no_tentative_answer(tmp_path: Path) -> None:
    assert tentative(tmp_path, unserved=0.5)[0].startswith("Tentative: large (")


def test_a_tentative_answer_names_a_possible_deadlock(tmp_path: Path) -> None:
    nested = Finding(code="nested_checkout", severity="error", message="", evidence={})
    lines = tentative(tmp_path, findings=(nested,))
    assert lines[0].startswith("Tentative: small (")
    assert lines[1].startswith("With small the tasks can deadlock the pool")


def test_a_pool_that_is_not_valid_is_named_beside_a_tentative_answer(tmp_path: Path) -> None:
    lines = tentative(tmp_path, valid=False)
    assert lines[0].startswith("Tentative: large (")
    assert lines[1].startswith("small is left out: the measurement is not valid")


def test_five_rounds_need_no_warning() -> None:
    assert few_rounds_warning(5) == few_rounds_warning(20) == ""
    assert "fewer than 5 rounds (here 2)" in few_rounds_warning(2)


@pytest.mark.parametrize(("rounds", "warned"), [("2", True), ("5", False), ("auto", False)])
def test_a_comparison_warns_before_it_starts(loadtest: Loadtest, rounds: str, warned: bool) -> None:
    pools = ("--pool", "5+10", "--pool", "20+0", "--rounds", rounds, "--dry-run")
    ended = loadtest("compare", ROOT / "scenarios" / "point_select.py", *pools)
    assert ended.returncode == 0, ended.stderr
    assert ("Warning: the answer will be tentative, with exit code 5" in ended.stderr) is warned
