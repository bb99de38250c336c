"""The processes of a driven application as one recorded pool, and their numbers in the summary."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from loadtest.analysis.driven.application_numbers import driven_summary
from loadtest.analysis.driven.driven_pool import recorded_pool_of
from loadtest.analysis.pool_runs import PoolRuns, gather
from loadtest.analysis.recordings.kept_holds import LONG_KEPT
from loadtest.analysis.reduction import Reduced, reduced
from loadtest.analysis.round import Round
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.interval import SECOND, Interval
from loadtest.model.place_use import PlaceUse
from loadtest.model.task_use import TaskUse
from loadtest.runfile.merged_recording import merge
from tests.analysis.builders import run
from tests.analysis.driven_pools import driven_pool, findings_of, load, web
from tests.analysis.recorded_shop import LIST, PAY, place, quick, shortage
from tests.runfile.driven_runs import driven, part, read


def busy(number: int, seconds: range = range(10)) -> list[Interval]:
    """A process with two places, a route and a long wait."""
    found = web(number, seconds, places={PAY: place(210, 8, 12), LIST: quick()}, loop_lag=[3] * 9)
    for one in found:
        one.tasks = {"GET /orders": TaskUse(10, SECOND // 10, 20, SECOND // 20)}
    found[3].shortages = [shortage(3, 40 + number)]
    return found


def three_rounds(folder: Path) -> PoolRuns:
    """Rounds of ten seconds, a minute apart, each with two new processes."""
    for number in range(3):
        seconds = range(60 * number, 60 * number + 10)
        path, recordings = driven(folder, load(seconds), round_=number + 1)
        for process in (2 * number, 2 * number + 1):
            part(recordings, busy(process, seconds), process=f"web-{process}")
        merge(path, recordings, {"command": "gunicorn --threads 4 shop:app"})
    runs = [read(path) for path in sorted((folder / "runs").glob("*.jsonl"))]
    (pool,) = gather(runs).pools
    return pool


def test_several_rounds_are_one_pool(tmp_path: Path) -> None:
    found = recorded_pool_of(three_rounds(tmp_path))
    assert found
    assert (found.name, found.database) == ("shop", "sqlite+pysqlite")
    assert [one.name for one in found.processes] == [f"web-{number}" for number in range(6)]
    assert found.seconds == 30
    assert found.by_second.most_processes == 2
    assert found.by_second.highest_limit == 4
    assert found.total.counters["checkouts"] == 600
    assert found.total.places[PAY].checkouts == 600
    assert sum(block.counters["checkouts"] for block in found.blocks) == 600


def test_a_scenario_has_no_recorded_pool(tmp_path: Path) -> None:
    (pool,) = gather([run(tmp_path, load())]).pools
    assert recorded_pool_of(pool) is None
    assert driven_summary(pool) is None
    assert summarize_runs([run(tmp_path / "again", load())]).pools[0].application is None


def test_the_warm_up_and_the_drain_are_no_part_of_it(tmp_path: Path) -> None:
    requests = load(range(10))
    requests[0].period, requests[9].period = "warmup", "drain"
    found = recorded_pool_of(driven_pool(tmp_path, requests, web()))
    assert found
    assert (found.seconds, found.total.counters["checkouts"]) == (8, 80)


def test_the_numbers_of_an_application(tmp_path: Path) -> None:
    found = driven_summary(three_rounds(tmp_path))
    assert found
    assert (found.name, found.engine, found.database) == ("shop", "shop", "sqlite+pysqlite")
    assert found.concurrency.model_dump() == {"requests": 4, "source": "gunicorn --threads"}
    assert [one.round for one in found.processes] == [1, 1, 2, 2, 3, 3]
    first = found.processes[0]
    assert (first.seconds, first.checkouts, first.in_use, first.peak) == (10.0, 100, 1.0, 2)
    assert first.cpu == pytest.approx(0.3)
    assert first.wait_seconds.p95 == pytest.approx(0.001, rel=0.02)
    assert first.loop_lag_p99_seconds == pytest.approx(0.003, rel=0.02)
    assert (found.in_use, found.cpu) == (pytest.approx(2.0), pytest.approx(0.3))
    assert [one.place for one in found.places] == [PAY, LIST]
    route = found.routes["GET /orders"]
    assert (route.checkouts, route.nested) == (600, 0)
    assert route.hold_seconds_mean == pytest.approx(0.01)
    assert route.querying == pytest.approx(0.5)
    assert [one.wait_seconds for one in found.shortages][:2] == [0.045, 0.044]


def test_the_summary_has_the_application(tmp_path: Path) -> None:
    pool = three_rounds(tmp_path)
    written = summarize_runs([read(run.path) for run in pool.runs]).to_json()["pools"][0]
    assert written["application"]["processes"][0]["process"] == "web-0"
    assert written["application"]["routes"]["GET /orders"]["checkouts"] == 600
    assert {one["code"] for one in written["findings"]} >= {"held_without_query"}


def test_a_run_may_be_read_in_parts(tmp_path: Path) -> None:
    file = read(driven_pool(tmp_path, load(), busy(0), busy(1)).runs[0].path)
    lines, whole = list(file.intervals), recorded_pool_of(gather([file]).pools[0])
    assert whole
    for begin in range(1, len(lines)):
        parts = [reduced(file.header, half) for half in (lines[:begin], lines[begin:])]
        round_ = Round(file, Reduced.joined(parts))
        joined = recorded_pool_of(PoolRuns("as-is", file.header.pool, [round_]))
        assert joined
        assert joined.total == whole.total
        assert list(joined.blocks) == list(whole.blocks)


@pytest.mark.parametrize("begin", [1, LONG_KEPT // 2, LONG_KEPT + 3])
def test_connections_that_do_not_come_back_are_found_in_parts(tmp_path: Path, begin: int) -> None:
    seconds = range(LONG_KEPT + 10)
    keeping = web(0, seconds, gauges={"in_use": 2})
    for number, one in enumerate(keeping):
        kept = PlaceUse(kept=2, longest_hold=(number + 1) * SECOND, routes=Counter())
        one.places = {PAY: kept}
    pool = driven_pool(tmp_path, load(seconds), keeping)
    file = read(pool.runs[0].path)
    lines = list(file.intervals)
    assert findings_of(pool)["leak"].evidence["lost"] == 2
    parts = [reduced(file.header, half) for half in (lines[: 2 * begin], lines[2 * begin :])]
    joined = PoolRuns("as-is", file.header.pool, [Round(file, Reduced.joined(parts))])
    found = recorded_pool_of(joined)
    assert found
    assert found.processes[0].old_holds == recorded(pool)


def recorded(pool: PoolRuns) -> object:
    found = recorded_pool_of(pool)
    assert found
    return found.processes[0].old_holds
