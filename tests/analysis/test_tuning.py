"""What a search came to, read from its runs."""

from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.pool_runs import PoolRuns, gather
from loadtest.analysis.sizing.initial_size import initial_size
from loadtest.analysis.sizing.size_search import SearchStep
from loadtest.analysis.sizing.tuning import Tuning
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.objective import parse_objective
from loadtest.model.summary import Summary
from loadtest.model.task_use import TaskUse
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, header, interval, run, steady

OBJECTIVE = "checkout.wait_seconds.p95 <= 50ms"
LOAD = {"users": 300, "warmup": 1.0, "duration": 2.0}
THREE = [640, 642, 641]


def searched(runs: list[Run], objective: str = OBJECTIVE, **search: Any) -> Summary:
    """The summary of a search among up to 40 connections."""
    names = sorted({one.pool_name: one for one in runs}, key=lambda n: (n != "default", len(n), n))
    pools = {one.pool_name: one.told["pool"] for one in runs}
    plan = {
        "name": "x",
        "objective": objective,
        "margin": 0.05,
        "load": LOAD,
        "pool": [pools[name] for name in names],
        "search": {"most": 40, **search},
    }
    return summarize_runs(runs, plan)


def pilot(folder: Path) -> list[Run]:
    return steady(folder, "default:5+10", [600], peak=15, wait=90)


def closed_in(folder: Path) -> list[Run]:
    """A search that found 20: with 19 waits are too long, and 40 bring no more."""
    return [
        *pilot(folder),
        *steady(folder, "19+0", THREE, wait=80),
        *steady(folder, "20+0", THREE, wait=30),
        *steady(folder, "40+0", [645], wait=1),
    ]


def test_the_smallest_size_is_recommended_with_a_timeout_and_its_reasons(tmp_path: Path) -> None:
    summary = searched(closed_in(tmp_path))
    assert summary.search
    assert (summary.search.outcome, summary.search.size, verdict_exit_code(summary)) == (
        "found",
        20,
        0,
    )
    assert summary.settings
    assert (summary.settings.pool_size, summary.settings.pool_timeout) == (20, 1.0)
    headline, *rest = summary.verdict.text.splitlines()
    assert headline.startswith("Set pool_size=20, max_overflow=0, pool_timeout=1: 641 requests")
    assert any(line.startswith("19+0 is too small: " + OBJECTIVE) for line in rest)
    assert any(line.startswith("A larger pool does not help: 40+0") for line in rest)
    assert any("600 per second, 94 % of what 20+0 does, and misses" in line for line in rest)
    assert summary.search.load_seconds == pytest.approx(8 * 3)
    assert summary.search.grid_seconds == pytest.approx(40 * 3)


def test_the_timeout_leaves_room_over_the_longest_wait(tmp_path: Path) -> None:
    runs = [*pilot(tmp_path), *steady(tmp_path, "20+0", THREE, wait=900)]
    summary = searched(runs, "checkout.wait_seconds.p95 <= 2s")
    assert summary.search
    assert summary.search.pool_timeout == 6  # three times what the objective allows


def test_a_bigger_pool_that_is_worse_is_told(tmp_path: Path) -> None:
    *smaller, _ = closed_in(tmp_path)
    between = steady(tmp_path, "28+0", THREE)
    runs = [*smaller, *between, *steady(tmp_path, "40+0", [300, 301])]
    summary = searched(runs)
    assert summary.search
    assert summary.search.worse_from == 40
    assert "A larger pool is worse: with 40+0 300 per second, 47 %" in summary.verdict.text


def test_without_an_objective_the_throughput_decides(tmp_path: Path) -> None:
    runs = [
        *pilot(tmp_path),
        *steady(tmp_path, "9+0", [580, 581, 582], wait=80),
        *steady(tmp_path, "10+0", [630, 631, 632], wait=80),
        *steady(tmp_path, "20+0", [650, 651]),
        *steady(tmp_path, "40+0", [652, 640]),
    ]
    summary = searched(runs, "")
    assert summary.search
    assert (summary.search.outcome, summary.search.size) == ("found", 10)
    assert "9+0 is too small: 581 per second, 89 % of what 20+0 does" in summary.verdict.text


def test_where_no_size_keeps_to_it_that_is_the_answer(tmp_path: Path) -> None:
    runs = [*pilot(tmp_path), *steady(tmp_path, "40+0", [640], wait=80)]
    summary = searched(runs)
    assert summary.search
    assert (summary.search.outcome, verdict_exit_code(summary)) == ("missed", 3)
    assert summary.verdict.recommended is None
    assert summary.verdict.text.startswith(f"No pool of 1 to 40 connections meets {OBJECTIVE}.")


def test_a_search_that_was_ended_says_the_best_so_far(tmp_path: Path) -> None:
    runs = [*pilot(tmp_path), *steady(tmp_path, "20+0", [640], wait=30)]
    summary = searched(runs)
    assert summary.search
    assert (summary.search.outcome, verdict_exit_code(summary)) == ("undecided", 5)
    assert summary.verdict.recommended is None
    assert "the best so far is pool_size=20, max_overflow=0" in summary.verdict.text
    alone = searched(pilot(tmp_path / "alone"))
    assert (alone.search and alone.search.outcome, verdict_exit_code(alone)) == ("undecided", 5)


def test_an_answer_whose_rounds_differ_gets_more_of_them_and_is_none_in_the_end(
    tmp_path: Path,
) -> None:
    others = [*pilot(tmp_path), *steady(tmp_path, "19+0", THREE, wait=80)]
    others += steady(tmp_path, "40+0", [645], wait=1)
    waits = (20, 45, 20, 45, 45)
    rounds = [steady(tmp_path, "20+0", [640] * n, wait=waits[n - 1])[-1] for n in range(1, 6)]
    assert Tuning.of(*_read([*others, *rounds[:3]])).next_step() == SearchStep(20, 4)
    tuning = Tuning.of(*_read([*others, *rounds]))
    assert tuning.trials[20].met is None
    assert tuning.next_step() == SearchStep(28, 1)  # halfway to 40 by ratio


def test_where_the_pilot_did_more_than_the_answer_nothing_is_decided(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "default:5+10", [700, 701], peak=15, wait=90),
        *steady(tmp_path, "19+0", [500] * 3),
        *steady(tmp_path, "20+0", [640, 641, 642, 640, 641]),
        *steady(tmp_path, "40+0", [620, 621, 622, 620, 621]),
    ]
    summary = searched(runs, "")
    assert summary.search
    assert (summary.search.outcome, summary.search.size, verdict_exit_code(summary)) == (
        "undecided",
        20,
        5,
    )
    assert summary.verdict.recommended is None
    said = "default, measured first, did 700 per second, 109 % of that; repeat the search"
    assert said in summary.verdict.text
    for part in runs[0].intervals:
        part.counters["arrivals"] = 700  # of which another round may have fewer
    assert not Tuning.of(*_read_without_objective(runs)).contradicted
    for part in runs[0].intervals:
        part.counters["arrivals"] = 0
    fewer = [one for one in runs if (one.pool_name, one.path.stem[-1]) != ("20+0", "5")]
    assert Tuning.of(*_read_without_objective(fewer)).next_step() == SearchStep(20, 5)


@pytest.mark.parametrize("arrivals", [0, 640])
def test_rounds_that_differ_by_more_than_the_margin_are_not_sure_of_users(
    tmp_path: Path, arrivals: int
) -> None:
    def steps(pool: str, per_second: list[int], wait: int = 30) -> list[Run]:
        runs = steady(tmp_path, pool, per_second, wait=wait)
        for one in runs:
            for part in one.intervals:
                part.counters["arrivals"] = arrivals
        return runs

    runs = [
        *steps("default:5+10", [600]),
        *steps("19+0", THREE, wait=80),
        *steps("20+0", [640, 700, 560, 690, 610]),
        *steps("40+0", [645]),
    ]
    summary = searched(runs)
    assert summary.search
    assert summary.search.size == 20
    assert summary.search.outcome == ("found" if arrivals else "undecided")
    assert ("its rounds differ too much in throughput (95 %" in summary.verdict.text) is not bool(
        arrivals
    )


def _read_without_objective(runs: list[Run]) -> Any:
    summary = searched(runs, "")
    return gather(runs, summary.experiment), summary.pools


def _read(runs: list[Run]) -> Any:
    summary = searched(runs)
    return gather(runs, summary.experiment), summary.pools


def _bound_by_the_generator(folder: Path, pool: str) -> list[Run]:
    busy = {"requests": 600, "checkouts": 600, "cpu": SECOND}
    return [run(folder, [interval(s, counters=busy, request=[1] * 600) for s in (0, 1)], pool)]


def test_where_nothing_can_be_measured_it_stops(tmp_path: Path) -> None:
    runs = [
        *_bound_by_the_generator(tmp_path, "default:5+10"),
        *_bound_by_the_generator(tmp_path, "20+0"),
    ]
    summary = searched(runs)
    assert summary.search
    assert (summary.search.outcome, verdict_exit_code(summary)) == ("invalid", 4)
    assert Tuning.of(*_read(runs)).next_step() is None


def test_where_every_request_fails_it_stops(tmp_path: Path) -> None:
    runs = steady(tmp_path, "default:5+10", [0], failures=50)
    assert Tuning.of(*_read(runs)).next_step() is None
    assert "no request succeeded" in searched(runs).verdict.text


def test_where_connections_leak_it_stops(tmp_path: Path) -> None:
    parts = [
        interval(s, counters={"requests": 50, "checkouts": 50}, gauges={"open": 15, "in_use": 15})
        for s in (0, 1)
    ]
    for part in parts:
        part.tasks = {"forget": TaskUse(holds=50, kept=14)}
    runs = [run(tmp_path, parts, "default:5+10")]
    assert Tuning.of(*_read(runs)).next_step() is None
    assert searched(runs).verdict.text.startswith("No pool can be recommended before the leak")


def test_disturbed_runs_cost_load_too(tmp_path: Path) -> None:
    summary = searched(closed_in(tmp_path), disturbed=[2.0])
    assert summary.search
    assert summary.search.load_seconds == pytest.approx(9 * 3)
    assert "9 runs of 3 sizes, 1 of them disturbed and repeated," in summary.verdict.text


def _pilot(folder: Path, per_second: int, hold: int, **more: Any) -> PoolRuns:
    counters = {"requests": per_second, "checkouts": per_second, **more.pop("counters", {})}
    parts = [interval(0, counters=counters, hold=[hold] * per_second, **more)]
    (pool,) = gather([run(folder, parts, "default:5+10", load=header()["load"])]).pools
    return pool


def test_the_first_guess_of_a_closed_loop_is_what_would_be_in_use_without_waits(
    tmp_path: Path,
) -> None:
    # 20 users, of whom 5 wait: the 15 others hold one connection each all the time.
    found = initial_size(_pilot(tmp_path, 150, 100, gauges={"users": 20, "waiting": 5}), 100)
    assert found == 20
    # 40 users, no user waits, and ten connections are in use.
    idle = _pilot(tmp_path, 100, 100, gauges={"users": 40, "waiting": 0})
    assert (initial_size(idle, 100), initial_size(idle, 6)) == (10, 6)


@pytest.mark.parametrize(("bound", "size"), [("50ms", 14), ("0.1ms", 17), ("5s", 11)])
def test_the_first_guess_of_an_open_loop_is_erlangs(tmp_path: Path, bound: str, size: int) -> None:
    # Ten erlangs: of 13 connections 28.5 % of all wait, of 14 17.4 %, of 16 5.7 %, of 17 3.1 %.
    arrivals = _pilot(tmp_path, 100, 100, counters={"arrivals": 100})
    bounds = parse_objective(f"checkout.wait_seconds.p95 <= {bound}")
    assert initial_size(arrivals, 100, bounds) == size
    assert initial_size(arrivals, 100) == 14  # 10 + sqrt(10)


@pytest.mark.parametrize("unfinished", [0, 90])
def test_the_interval_of_a_wait_has_those_that_did_not_end(tmp_path: Path, unfinished: int) -> None:
    """Where most waits went on at the end, the p95 of those that ended is no p95."""
    waits: dict[str, Any] = {"wait": [20] * 10, "unfinished": [900] * unfinished}
    part = interval(counters={"requests": 9, "checkouts": 10}, **waits)
    runs = [run(tmp_path, [part], "19+0", number) for number in (1, 2, 3)]
    found = searched([*pilot(tmp_path), *runs]).search
    assert found is not None
    assert found.sizes[0].wait_p95_ci95 == (None if unfinished else pytest.approx((0.02, 0.02)))


def test_a_size_with_which_most_requests_fail_is_no_answer(tmp_path: Path) -> None:
    runs = [
        *pilot(tmp_path),
        *steady(tmp_path, "19+0", THREE, wait=10, failures=700),
        *steady(tmp_path, "20+0", THREE, wait=30),
        *steady(tmp_path, "40+0", [645], wait=1),
    ]
    summary = searched(runs)
    assert summary.verdict.recommended == "20+0"
    said = "52 % of its requests failed, most with deadlocks"
    lines = summary.verdict.text.splitlines()
    assert [line for line in lines if "19+0" in line] == [f"19+0 is not recommended: {said}."]


@pytest.mark.parametrize("lag", [0, 30])
def test_where_most_requests_fail_with_all_sizes_the_verdict_is_the_error(
    tmp_path: Path, lag: int
) -> None:
    counters = {"requests": 100, "failures": 90, "errors.deadlock": 90, "checkouts": 100}
    parts = [
        interval(s, counters=counters, wait=[1] * 9, request=[9] * 9, generator_lag=[lag])
        for s in range(2)
    ]
    runs = [run(tmp_path, parts, pool) for pool in ("default:5+10", "20+0", "40+0")]
    verdict = searched(runs).verdict
    assert verdict.recommended is None
    assert verdict.text.startswith(
        "No size is recommended: with default 90 % of its requests failed, most with deadlocks."
    )
    assert "20+0 is not recommended: 90 % of its requests failed" in verdict.text
    assert "not valid" not in verdict.text


def test_that_requests_fail_with_the_answer_is_told(tmp_path: Path) -> None:
    runs = [
        *pilot(tmp_path),
        *steady(tmp_path, "19+0", THREE, wait=80),
        *steady(tmp_path, "20+0", THREE, wait=30, failures=64),
        *steady(tmp_path, "40+0", [645], wait=1),
    ]
    text = searched(runs).verdict.text
    assert text.startswith("Set pool_size=20")
    assert "Even with 20+0, 9.1 % of requests failed, most with deadlocks." in text.splitlines()
