"""The requests to an application by name: over processes, rounds and stages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.analysis.comparison.objective_check import missed_objectives, value_in_words
from loadtest.analysis.pool_runs import gather
from loadtest.analysis.reduction import Reduced, reduced
from loadtest.analysis.round import Round
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.request_times import RequestTimes
from loadtest.model.request_use import is_of_name, times_of_name
from loadtest.model.summary import Summary
from tests.analysis.builders import steady
from tests.analysis.driven_requests import ORDERS, PAY, driven_run, load_second, requested


def test_times_of_successes_and_the_outcomes_of_all(tmp_path: Path) -> None:
    load = [requested(load_second(n), ORDERS, [20, 40], failed=[900]) for n in range(5)]
    requested(load[0], PAY, [7])
    (pool,) = summarize_runs([driven_run(tmp_path, load)]).pools
    assert list(pool.request) == [ORDERS, PAY]
    orders, pay = pool.request.values()
    assert (orders.count, orders.failed, orders.retried) == (15, 5, 0)
    assert orders.error_rate == pytest.approx(1 / 3)
    assert orders.by_status == {"200": 10, "500": 5}
    assert (orders.mean, orders.max, orders.at_least) == (0.03, 0.04, ())
    assert orders.p50 == pytest.approx(0.02, rel=0.01)
    assert (pay.count, pay.error_rate, pay.max) == (1, 0.0, 0.007)
    assert pool.request_seconds.max == 0.04


def test_processes_of_the_generator_add_up(tmp_path: Path) -> None:
    load = [
        requested(load_second(second, process), ORDERS, [20])
        for second in range(4)
        for process in ("w1", "w2")
    ]
    (pool,) = summarize_runs([driven_run(tmp_path, load)]).pools
    assert pool.request[ORDERS].count == 8


def test_rounds_with_different_names(tmp_path: Path) -> None:
    both = [requested(requested(load_second(n), ORDERS, [20]), PAY, [50]) for n in range(3)]
    one = [requested(load_second(n), ORDERS, [30]) for n in range(3)]
    runs = [driven_run(tmp_path, load, number) for number, load in enumerate((both, one), 1)]
    objective = 'request["POST /pay"].p95 <= 60ms, request["POST /pay"].count >= 1'
    (pool,) = summarize_runs(runs, {"objective": objective}).pools
    assert (pool.request[ORDERS].count, pool.request[PAY].count) == (6, 3)
    time, number = pool.objectives
    assert (time.value, time.ci95) == (0.05, None)
    assert (number.value, number.ci95 and number.ci95[0] < 1) == (3, True)


def test_the_warmup_does_not_count(tmp_path: Path) -> None:
    load = [requested(load_second(n), ORDERS, [20]) for n in range(4)]
    load[0].period = "warmup"
    (pool,) = summarize_runs([driven_run(tmp_path, load)]).pools
    assert pool.request[ORDERS].count == 3


def test_names_are_no_columns(tmp_path: Path) -> None:
    load = [requested(load_second(n), ORDERS, [20, 40]) for n in range(4)]
    found = driven_run(tmp_path, load)
    round_ = Round.of(found)
    assert not [name for name in round_.data.columns.times if is_of_name(name)]
    assert round_.together.histograms[times_of_name(ORDERS)].count == 8
    assert round_.together.histograms["request"].count == 8
    lines = list(found.intervals)
    for place in range(1, len(lines)):
        halves = [reduced(found.header, half) for half in (lines[:place], lines[place:])]
        joined = Round(found, Reduced.joined(halves))
        assert joined.together.requests == round_.together.requests


def test_summary_json_has_them(tmp_path: Path) -> None:
    load = [requested(load_second(n), ORDERS, [40] * 5, waited=[30] * 5) for n in range(4)]
    summary = summarize_runs([driven_run(tmp_path, load)])
    told = json.loads(json.dumps(summary.to_json()))["pools"][0]["request"][ORDERS]
    assert told.keys() == RequestTimes.model_fields.keys()
    assert (told["count"], told["by_status"], told["at_least"]) == (20, {"200": 20}, [])
    assert told["explained"]["p95"] == {"seconds": 0.04, "waiting_seconds": 0.03, "told": 20}


def test_a_load_test_of_a_scenario_has_none(tmp_path: Path) -> None:
    (pool,) = summarize_runs(steady(tmp_path, "20+0", [700])).pools
    assert pool.request == {}


def test_a_name_that_never_occurs_is_told(tmp_path: Path) -> None:
    load = [requested(load_second(n), ORDERS, [20]) for n in range(4)]
    asked = {"objective": 'request["GET /order"].p95 <= 60ms'}
    summary = summarize_runs([driven_run(tmp_path, load)], asked)
    assert "No request has the name 'GET /order'; there are: 'GET /orders'" in summary.verdict.text
    assert summary.pools[0].objectives[0].met is None


def test_the_path_of_an_objective_is_told_whole(tmp_path: Path) -> None:
    load = [requested(load_second(n), ORDERS, [20]) for n in range(4)]
    missed, unknown = (f'request["{name}"].p95 <= 10ms' for name in ("GET /orders", "GET /carts"))
    runs = [driven_run(tmp_path, load)]
    (pool,) = summarize_runs(runs, {"objective": missed}).pools
    assert 'With as-is request["GET /orders"].p95 is 20.0 ms.' in missed_objectives([pool])
    (pool,) = summarize_runs(runs, {"objective": unknown}).pools
    first, second, *_ = missed_objectives([pool])
    assert first == 'request["GET /carts"].p95: no run has a value for it.'
    assert second.startswith("No request has the name 'GET /carts'")


def test_rounds_of_a_pool_have_their_own_requests(tmp_path: Path) -> None:
    times = ([20] * 9, [40] * 9, [30] * 9)
    runs = [
        driven_run(tmp_path, [requested(load_second(n), ORDERS, one) for n in range(3)], number)
        for number, one in enumerate(times, 1)
    ]
    (pool,) = gather(runs).pools
    (summary,) = summarize_runs(runs, {"objective": 'request["GET /orders"].mean <= 1s'}).pools
    assert pool.requests[ORDERS].count == 81
    (mean,) = summary.objectives
    assert mean.value == pytest.approx(0.03)
    assert mean.ci95
    assert sum(mean.ci95) / 2 == pytest.approx(0.03)


def cut_off(folder: Path, *, rounds: int = 1, objective: str = "") -> Summary:
    """Four of forty requests hang at the end: two of them since before the measured time."""
    runs = []
    for number in range(1, rounds + 1):
        load = [
            requested(load_second(0), ORDERS, [20] * 9, unfinished=[900, 900]),
            requested(load_second(1), ORDERS, [20] * 18, unfinished=[1900, 1900, 500, 30]),
            requested(load_second(2), ORDERS, [20] * 18, unfinished=[2900, 2900, 1500, 1500]),
        ]
        load[0].period = "warmup"
        runs.append(driven_run(folder, load, number))
    return summarize_runs(runs, {"objective": objective} if objective else None)


def test_requests_in_progress_at_the_end_make_lower_bounds(tmp_path: Path) -> None:
    (pool,) = cut_off(tmp_path).pools
    orders = pool.request[ORDERS]
    assert (orders.count, orders.unfinished) == (36, 4)
    assert orders.p50 == pytest.approx(0.02, rel=0.01)
    assert orders.p95 == orders.max == pytest.approx(2.9, rel=0.01)
    assert {"p95", "p99", "max", "mean"} <= {*orders.at_least}
    assert "p50" not in orders.at_least
    assert pool.request_seconds.at_least == orders.at_least
    assert pool.request_seconds.p95 == orders.p95


def test_a_lower_bound_decides_only_against_an_objective(tmp_path: Path) -> None:
    bounds = ["p95 <= 1s", "p95 <= 5s", "p95 >= 5s", "p50 <= 1s"]
    objective = ", ".join(f'request["{ORDERS}"].{bound}' for bound in bounds)
    summary = cut_off(tmp_path, objective=objective)
    found = summary.pools[0].objectives
    assert [one.met for one in found] == [False, None, None, True]
    assert [one.at_least for one in found] == [True, True, True, False]
    assert value_in_words(found[0]) == "≥ 2.90 s"


def test_an_undecided_lower_bound_asks_for_a_longer_run(tmp_path: Path) -> None:
    text = cut_off(tmp_path, objective=f'request["{ORDERS}"].p95 <= 5s').verdict.text
    assert "a value with ≥ is a lower bound" in text.lower()
    assert "measure for longer" in text
    assert "more rounds" not in text


def test_a_name_whose_requests_never_end_is_known(tmp_path: Path) -> None:
    load = [
        requested(requested(load_second(n), ORDERS, [20] * 9), PAY, [], unfinished=[1000 * n + 900])
        for n in range(3)
    ]
    asked = {"objective": f'request["{PAY}"].p95 <= 200ms'}
    summary = summarize_runs([driven_run(tmp_path, load)], asked)
    (pool,) = summary.pools
    assert list(pool.request) == [ORDERS, PAY]
    pay = pool.request[PAY]
    assert (pay.count, pay.unfinished, pay.error_rate) == (0, 1, None)
    assert pay.p50 == pay.max == pytest.approx(2.9, rel=0.01)
    assert pool.objectives[0].met is False
    assert "No request has the name" not in summary.verdict.text
