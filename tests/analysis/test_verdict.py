"""Which pool is recommended, and in what words."""

from pathlib import Path

import pytest

from loadtest.analysis.summary import summarize_runs
from loadtest.analysis.verdict import exit_code
from loadtest.results import Run
from tests.analysis.builders import SECOND, interval, run, steady

FIVE = [1.0, 1.01, 0.99, 1.02, 0.98]


def _five(around: int) -> list[int]:
    return [round(around * factor) for factor in FIVE]


def _clash(folder: Path) -> list[Run]:
    return [
        *steady(folder, "default:5+10", _five(646), peak=15, wait=440, started=1),
        *steady(folder, "20+0", _five(760), peak=20, wait=400, started=2),
        *steady(folder, "seed:3000+inf", _five(82), failures=142, peak=300, started=3),
    ]


def test_the_best_pool_is_recommended_with_what_it_brings(tmp_path: Path) -> None:
    summary = summarize_runs(_clash(tmp_path))
    lines = summary.verdict.text.splitlines()
    assert summary.verdict.recommended == "20+0"
    assert lines[0].startswith(
        "Set pool_size=20, max_overflow=0: 760 requests succeeded per second, "
        "1.18 times as many as with default (95 % interval 1.1"
    )
    assert lines[1] == (
        "The worst choice is seed: 82.0 per second, 11 % of what 20+0 does; 63 % of its requests "
        "failed, most with deadlocks and it had 300 connections at once."
    )
    assert lines[2].startswith(
        "Not covered: other queries and data than this scenario's, users on OS"
    )
    assert len(lines) == 3
    assert exit_code(summary) == 0


def test_of_equals_the_one_with_the_fewest_connections(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "50+0", _five(701), peak=50, started=1),
        *steady(tmp_path, "20+0", _five(696), peak=20, started=2),
    ]
    verdict = summarize_runs(runs).verdict
    assert verdict.recommended == "20+0"
    assert "as many as with 50+0 (0.99 times" in verdict.text
    assert "As good within the noise: 50+0 (701 per second with 50 connections)" in verdict.text
    assert "20+0 gets by with 20 connections." in verdict.text


def test_of_equals_with_as_many_connections_the_baseline_is_kept(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "default:5+10", _five(696), peak=12, started=1),
        *steady(tmp_path, "20+0", _five(701), peak=12, started=2),
    ]
    verdict = summarize_runs(runs).verdict
    assert verdict.recommended == "default"
    assert verdict.text.startswith("Keep default (pool_size=5, max_overflow=10): 696")
    assert verdict.text.splitlines()[1] == (
        "As good within the noise: 20+0 (701 per second with 12 connections)."
    )


def test_a_baseline_that_is_best_is_kept(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "20+0", _five(700), started=1),
        *steady(tmp_path, "50+0", _five(350), peak=50, started=2),
    ]
    summary = summarize_runs(runs)
    assert summary.verdict.recommended == "20+0"
    assert summary.verdict.text.startswith("Keep 20+0 (pool_size=20, max_overflow=0): 700")
    assert "2.0 times as many as with 50+0" in summary.verdict.text


def test_a_larger_pool_wins_where_it_does_more(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "20+0", _five(350), started=1),
        *steady(tmp_path, "seed:3000+inf", _five(700), peak=300, started=2),
    ]
    verdict = summarize_runs(runs).verdict
    assert verdict.recommended == "seed"
    assert verdict.text.startswith("Set pool_size=3000, max_overflow=-1: 700")


@pytest.mark.parametrize("rounds", [1, 4])
def test_fewer_than_five_rounds_tell_nothing_apart(tmp_path: Path, rounds: int) -> None:
    runs = steady(tmp_path, "20+0", [700] * rounds) + steady(tmp_path, "5+10", [300] * rounds)
    summary = summarize_runs(runs)
    assert summary.verdict.recommended is None
    assert "without 5 rounds of each pool, noise cannot be told" in summary.verdict.text
    assert "20+0 700 and 5+10 300" in summary.verdict.text
    assert "Repeat with --rounds 5, or --rounds auto" in summary.verdict.text
    assert exit_code(summary) == 5


def test_one_pool_alone_is_reported_without_a_recommendation(tmp_path: Path) -> None:
    summary = summarize_runs(steady(tmp_path, "20+0", [700, 702]))
    assert summary.verdict.recommended is None
    assert summary.verdict.text.startswith("20+0 (pool_size=20, max_overflow=0) did 701 requests")
    assert exit_code(summary) == 0


def test_invalid_pools_leave_the_verdict(tmp_path: Path) -> None:
    busy = [interval(counters={"requests": 9000, "failures": 0, "cpu": int(0.97 * SECOND)})]
    runs = _clash(tmp_path) + [run(tmp_path, busy, "busy:9+9", number) for number in range(1, 6)]
    summary = summarize_runs(runs)
    assert not summary.pool("busy").valid
    assert summary.verdict.recommended == "20+0"
    assert "busy is left out: the measurement is not valid" in summary.verdict.text
    assert "busy" not in {comparison.pool for comparison in summary.comparisons}
    assert exit_code(summary) == 0


def test_fewer_than_two_valid_pools_are_no_comparison(tmp_path: Path) -> None:
    busy = [interval(counters={"requests": 9000, "cpu": SECOND})]
    runs = [*steady(tmp_path, "20+0", [700, 700]), run(tmp_path, busy, "5+10")]
    summary = summarize_runs(runs)
    assert summary.verdict.recommended is None
    assert "Nothing can be recommended: 1 of 2 pools left to compare." in summary.verdict.text
    assert exit_code(summary) == 4
    assert exit_code(summarize_runs([run(tmp_path, busy, "5+10")])) == 4


def test_pools_that_only_fail_are_not_recommended(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "20+0", [0, 0, 0], failures=10),
        *steady(tmp_path, "5+10", [0, 0, 0], failures=10),
    ]
    summary = summarize_runs(runs)
    assert summary.verdict.recommended is None
    assert "with none of the pools did a request succeed" in summary.verdict.text
    assert exit_code(summary) == 5


@pytest.mark.parametrize("busy", [False, True])
def test_a_run_in_which_nothing_succeeds_says_so_first(tmp_path: Path, busy: bool) -> None:
    counters = {"requests": 1234, "failures": 1234, "errors.other": 1234, "errors.deadlock": 1}
    one = interval(counters={**counters, "cpu": SECOND if busy else 0})
    one.examples |= {"deadlock": "(1213, 'x')", "other": '(1146, "no table\nof that name")'}
    runs = [run(tmp_path, [one])]
    first = (
        "Not one of 1,234 requests succeeded with 20+0 (pool_size=20, max_overflow=0): "
        '(1146, "no table of that name")'
    )
    assert summarize_runs(runs).verdict.text == first
    runs[0].path.with_suffix(".log").touch()
    summary = summarize_runs(runs)
    assert summary.verdict.text == f"{first}\nMore is in Locust's log, runs/20+0-1.log."
    assert exit_code(summary) == (4 if busy else 0)


def test_errors_of_the_recommended_pool_are_told(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "20+0", _five(700), failures=70),
        *steady(tmp_path, "5+10", _five(300)),
    ]
    assert "Even so 9.1 % of its requests failed." in summarize_runs(runs).verdict.text
