"""Which pool is recommended, and in what words."""

from pathlib import Path

import pytest

from loadtest.analysis.comparison.comparer import Comparer
from loadtest.analysis.comparison.verdict import verdict, verdict_exit_code
from loadtest.analysis.pool_numbers import numbers_by_round
from loadtest.analysis.pool_runs import gather
from loadtest.analysis.summarize import summarize, summarize_runs
from loadtest.model.interval import Fair
from loadtest.model.summary import Finding
from loadtest.model.task_use import TaskUse
from loadtest.runfile.reader import Run
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
    assert verdict_exit_code(summary) == 0


def test_of_equals_the_one_with_the_fewest_connections(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "50+0", _five(701), peak=50, started=1),
        *steady(tmp_path, "20+0", _five(696), peak=20, started=2),
    ]
    verdict = summarize_runs(runs).verdict
    assert verdict.recommended == "20+0"
    assert "as many as with 50+0 (0.99 times" in verdict.text
    assert (
        "Equally good within the noise: 50+0 (701 per second with 50 connections)" in verdict.text
    )
    assert "20+0 needs only 20 connections." in verdict.text


def test_of_equals_with_as_many_connections_the_baseline_is_kept(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "default:5+10", _five(696), peak=12, started=1),
        *steady(tmp_path, "20+0", _five(701), peak=12, started=2),
    ]
    verdict = summarize_runs(runs).verdict
    assert verdict.recommended == "default"
    assert verdict.text.startswith("Keep default (pool_size=5, max_overflow=10): 696")
    assert verdict.text.splitlines()[1] == (
        "Equally good within the noise: 20+0 (701 per second with 12 connections)."
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
    # How much less that is, the headline has said.
    assert verdict.text.splitlines()[1].startswith("The worst choice is 20+0: 350 per second")
    assert "% of what" not in verdict.text


@pytest.mark.parametrize("rounds", [1, 4])
def test_fewer_than_five_rounds_tell_nothing_apart(tmp_path: Path, rounds: int) -> None:
    runs = steady(tmp_path, "20+0", [700] * rounds) + steady(tmp_path, "5+10", [300] * rounds)
    summary = summarize_runs(runs)
    assert summary.verdict.recommended is None
    assert (
        "fewer than 5 complete rounds, a difference between pools cannot be told"
        in summary.verdict.text
    )
    assert "20+0 700 and 5+10 300" in summary.verdict.text
    assert "Repeat with --rounds 5, or with --rounds auto" in summary.verdict.text
    assert verdict_exit_code(summary) == 5


def test_rounds_that_were_not_run_together_tell_nothing_apart(tmp_path: Path) -> None:
    runs = steady(tmp_path / "a", "20+0", _five(700)) + steady(tmp_path / "b", "5+10", _five(300))
    summary = summarize_runs(runs)
    assert summary.verdict.recommended is None
    assert verdict_exit_code(summary) == 5


def test_one_pool_alone_is_reported_without_a_recommendation(tmp_path: Path) -> None:
    summary = summarize_runs(steady(tmp_path, "20+0", [700, 702]))
    assert summary.verdict.recommended is None
    assert summary.verdict.text.startswith("20+0 (pool_size=20, max_overflow=0) did 701 requests")
    assert verdict_exit_code(summary) == 0


def test_invalid_pools_leave_the_verdict(tmp_path: Path) -> None:
    busy = [interval(counters={"requests": 300, "failures": 0, "cpu": int(0.97 * SECOND)})]
    runs = _clash(tmp_path) + [run(tmp_path, busy, "busy:9+9", number) for number in range(1, 6)]
    summary = summarize_runs(runs)
    assert not summary.pool("busy").valid
    assert summary.verdict.recommended == "20+0"
    assert "busy is left out: the measurement is not valid" in summary.verdict.text
    assert "busy" not in {comparison.pool for comparison in summary.comparisons}
    assert verdict_exit_code(summary) == 0


def test_fewer_than_two_valid_pools_are_no_comparison(tmp_path: Path) -> None:
    busy = [interval(counters={"requests": 9000, "cpu": SECOND})]
    runs = [*steady(tmp_path, "20+0", [700, 700]), run(tmp_path, busy, "5+10")]
    summary = summarize_runs(runs)
    assert summary.verdict.recommended is None
    said = "Nothing can be recommended: 1 of 2 pools can be compared. Remove the causes that the"
    assert said in summary.verdict.text
    assert verdict_exit_code(summary) == 4
    alone = summarize_runs([run(tmp_path, busy, "5+10")])
    assert alone.verdict.text == "The measurement of 5+10 is not valid (see the findings)."
    assert verdict_exit_code(alone) == 4


def test_pools_that_only_fail_are_not_recommended(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "20+0", [0, 0, 0], failures=10),
        *steady(tmp_path, "5+10", [0, 0, 0], failures=10),
    ]
    summary = summarize_runs(runs)
    assert summary.verdict.recommended is None
    assert "no request succeeded with any pool" in summary.verdict.text
    assert verdict_exit_code(summary) == 4


@pytest.mark.parametrize("busy", [False, True])
def test_a_run_in_which_nothing_succeeds_says_so_first(tmp_path: Path, busy: bool) -> None:
    counters = {"requests": 1234, "failures": 1234, "errors.other": 1234, "errors.deadlock": 1}
    one = interval(counters={**counters, "cpu": SECOND if busy else 0})
    one.examples |= {"deadlock": "(1213, 'x')", "other": '(1146, "no table\nof that name")'}
    runs = [run(tmp_path, [one])]
    first = (
        "None of 1,234 requests succeeded with 20+0 (pool_size=20, max_overflow=0): "
        '(1146, "no table of that name")'
    )
    assert summarize_runs(runs).verdict.text == first
    runs[0].path.with_suffix(".log").touch()
    summary = summarize_runs(runs)
    assert (
        summary.verdict.text
        == f"{first}\nFor details, see Locust's log: {tmp_path}/runs/20+0-1.log."
    )
    assert verdict_exit_code(summary) == 4


def test_errors_of_the_recommended_pool_are_told(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "20+0", _five(700), failures=70),
        *steady(tmp_path, "5+10", _five(300)),
    ]
    said = "Even with 20+0, 9.1 % of requests failed, most with deadlocks."
    assert said in summarize_runs(runs).verdict.text


@pytest.mark.parametrize(("name", "said"), [("20+0", True), ("5+0", False)])
def test_the_largest_pool_may_still_be_too_small(tmp_path: Path, name: str, said: bool) -> None:
    runs = [
        *steady(tmp_path, "20+0", _five(700), peak=20),
        *steady(tmp_path, "5+0", _five(300), peak=5),
    ]
    measured = gather(runs)
    bound = Finding(code="pool_bound", severity="warning", message="too small")
    pools = [
        pool.model_copy(update={"findings": (bound,) if pool.name == name else ()})
        for pool in summarize(measured).pools
    ]
    compare = Comparer({pool.name: numbers_by_round(pool) for pool in measured.pools})
    text = verdict(measured, pools, compare).text
    assert ("a larger pool may serve more requests" in text) == said


def test_of_equals_those_that_fail_more_are_told(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "20+0", _five(700), peak=20, started=1),
        *steady(tmp_path, "lifo:20+1", _five(700), peak=21, started=2)[:4],
        steady(tmp_path, "lifo:20+1", _five(700), peak=21, failures=30, started=2)[4],
    ]
    text = summarize_runs(runs).verdict.text
    assert "lifo (700 per second with 21 connections; 0.8 % of requests failed)" in text


def test_of_equals_with_as_many_connections_one_without_failures_is_taken(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "lifo:10+0", _five(700), started=1)[:4],
        steady(tmp_path, "lifo:10+0", _five(700), failures=30, started=1)[4],
        *steady(tmp_path, "pinged:10+0", _five(699), started=2),
    ]
    verdict = summarize_runs(runs).verdict
    assert verdict.recommended == "pinged"


def test_a_pool_of_which_more_requests_fail_is_not_as_good(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "as-it-comes:10+0", _five(700), failures=35, started=1),
        *steady(
            tmp_path,
            "pre-ping:pool_size=10,max_overflow=0,pool_pre_ping=true",
            _five(698),
            started=2,
        ),
    ]
    verdict = summarize_runs(runs).verdict
    assert verdict.recommended == "pre-ping"
    assert verdict.text.splitlines()[1] == (
        "Ruled out despite a similar throughput, because more requests fail: 4.8 % with "
        "as-it-comes, 0 % here."
    )


def _losing(folder: Path, pool: str, requests: int, peak: int, kept: int) -> list[Run]:
    """Five rounds at whose ends ended tasks still hold this number of connections."""
    rounds = []
    for number, around in enumerate(_five(requests), start=1):
        one = interval(counters={"requests": around}, gauges={"open": peak, "in_use": peak})
        one.tasks["pay"] = TaskUse(holds=around, kept=kept)
        rounds.append(run(folder, [one], pool, number))
    return rounds


def test_no_size_is_recommended_against_a_leak(tmp_path: Path) -> None:
    leaking = _losing(tmp_path, "5+10", 100, 15, 14) + _losing(tmp_path, "20+40", 265, 60, 59)
    summary = summarize_runs(leaking)
    assert summary.verdict.recommended is None
    assert summary.verdict.text.startswith("No pool can be recommended before the leak is fixed")
    assert "20+40 265 (it lost 59 of 60 connections) and 5+10 1" in summary.verdict.text
    assert verdict_exit_code(summary) == 5
    assert "295 connections (in 5 rounds) were still held" in " ".join(
        finding.message for finding in summary.pool("20+40").findings
    )


def test_a_few_lost_connections_leave_a_recommendation(tmp_path: Path) -> None:
    runs = _losing(tmp_path, "5+10", 100, 15, 1) + _losing(tmp_path, "20+40", 265, 60, 1)
    assert summarize_runs(runs).verdict.recommended == "20+40"


def _starving(folder: Path, pool: str, requests: int) -> list[Run]:
    """Five rounds in which five of a hundred users do all the work."""
    runs = []
    for number, around in enumerate(_five(requests), start=1):
        one = interval(counters={"requests": around, "checkouts": around})
        one.fair = Fair(users=100, served=5, checkouts=around, squares=around, longest_wait=SECOND)
        runs.append(run(folder, [one], pool, number))
    return runs


def test_of_pools_that_do_as_much_one_that_starves_users_is_not_recommended(tmp_path: Path) -> None:
    runs = steady(tmp_path, "20+0", _five(698)) + _starving(tmp_path, "5+0", 700)
    verdict = summarize_runs(runs).verdict
    assert verdict.recommended == "20+0"
    assert verdict.text.splitlines()[1] == (
        "Ruled out despite a similar throughput, because users never get a connection: 95 % with "
        "5+0."
    )


def test_that_a_recommended_pool_starves_users_is_told(tmp_path: Path) -> None:
    runs = steady(tmp_path, "20+0", _five(350)) + _starving(tmp_path, "5+0", 700)
    verdict = summarize_runs(runs).verdict
    assert verdict.recommended == "5+0"
    assert (
        "With 5+0, 95 % of the users never got a connection (see the finding starvation): its "
        "times cover the other users only." in verdict.text.splitlines()
    )


def _arriving(folder: Path, pool: str, peak: int, request: int) -> list[Run]:
    """Five rounds of an open loop with about this time (ms) per request."""
    counters = {"requests": 300, "arrivals": 300, "checkouts": 300}
    gauges = {"open": peak, "in_use": peak}
    return [
        run(
            folder, [interval(counters=counters, gauges=gauges, request=[time] * 300)], pool, number
        )
        for number, time in enumerate(_five(request), start=1)
    ]


def test_of_pools_that_do_all_that_arrives_a_slow_one_is_not_recommended(tmp_path: Path) -> None:
    runs = [
        *_arriving(tmp_path, "5+45", 50, 240),
        *_arriving(tmp_path, "4+0", 4, 1000),
        *_arriving(tmp_path, "5+0", 5, 50),
        *_arriving(tmp_path, "50+0", 50, 50),
    ]
    verdict = summarize_runs(runs).verdict
    assert verdict.recommended == "5+0"
    said = (
        "Ruled out despite a similar throughput, because requests take longer: p95 245 ms with "
        "5+45 and 1.02 s with 4+0, 51.0 ms here."
    )
    assert said in verdict.text.splitlines()


def test_where_an_objective_is_met_fewer_connections_may_be_slower(tmp_path: Path) -> None:
    runs = _arriving(tmp_path, "5+0", 5, 100) + _arriving(tmp_path, "50+0", 50, 50)
    asked = {"objective": "request_seconds.p95 <= 200ms"}
    assert summarize_runs(runs).verdict.recommended == "50+0"
    assert summarize_runs(runs, asked).verdict.recommended == "5+0"
