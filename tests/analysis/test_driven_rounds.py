"""Rounds of runs that drove an application: requests from the generator, pools from processes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.findings.rules import doubts, remarks
from loadtest.analysis.levels_over_time import levels_over_time
from loadtest.analysis.pool_numbers import pool_numbers
from loadtest.analysis.pool_runs import PoolRuns, gather
from loadtest.analysis.read_rounds import read_rounds
from loadtest.analysis.reduction import Reduced, reduced
from loadtest.analysis.round import Round
from loadtest.analysis.statistics.within_rounds import seconds_spread
from loadtest.analysis.summarize import summarize
from loadtest.model.interval import Interval
from loadtest.runfile.merged_recording import merge
from tests.analysis.builders import MILLISECOND, SECOND, interval, run
from tests.runfile.driven_runs import application_second, driven, load_second, part, read

FACTS = {"name": "shop", "command": "uvicorn shop.web:app"}


def pool_of(
    folder: Path, generator: Iterable[Interval], *processes: Iterable[Interval], **more: Any
) -> PoolRuns:
    """The pool of a run in which these processes of an application answered this load."""
    path, recordings = driven(folder, [*generator], **more)
    for number, intervals in enumerate(processes):
        part(recordings, intervals, process=f"web-{number}")
    merge(path, recordings, FACTS)
    (pool,) = gather([read(path)]).pools
    return pool


def web(number: int, seconds: Iterable[int], **more: Any) -> list[Interval]:
    """The seconds of one process of the application."""
    return [application_second(second, f"web-{number}", **more) for second in seconds]


def two_processes(folder: Path) -> PoolRuns:
    """Ten seconds of load on two processes, and one of warm-up."""
    load = [load_second(0, period="warmup"), *map(load_second, range(1, 11))]
    return pool_of(folder, load, web(0, range(11)), web(1, range(11)))


def test_requests_are_the_generators_and_checkouts_the_applications(tmp_path: Path) -> None:
    (round_,) = two_processes(tmp_path).rounds
    counters = round_.together.counters
    assert (counters["requests"], counters["checkouts"]) == (100, 200)
    assert (round_.seconds, round_.throughput) == (10.0, 10.0)
    assert round_.times("request").finished.count == 100
    assert round_.times("hold").finished.count == 200


def test_processor_time_is_the_generators(tmp_path: Path) -> None:
    pool = two_processes(tmp_path)
    (round_,) = pool.rounds
    assert round_.together.counters["cpu"] == 10 * SECOND // 2
    assert (round_.busiest.process, [*round_.processes]) == ("locust", ["locust"])
    assert round_.saturated_share(0.6) == 0.0
    assert pool_numbers(pool).generator.cpu == 0.5


def test_pools_are_counted_in_the_application(tmp_path: Path) -> None:
    pool = two_processes(tmp_path)
    (round_,) = pool.rounds
    assert (pool.processes, round_.most_at_once) == (2, 2)
    assert pool.mean_level("in_use") == 2.0  # one in each process
    assert pool.peak("open") == 4
    numbers = pool_numbers(pool)
    assert (numbers.connections.allowed, numbers.connections.peak) == (4, 4)
    assert numbers.checkout.count == 200
    assert numbers.checkout.wait_seconds.mean == pytest.approx(0.020)


def test_a_process_that_takes_over_does_not_halve_the_levels(tmp_path: Path) -> None:
    load = list(map(load_second, range(10)))
    pool = pool_of(tmp_path, load, web(0, range(5)), web(1, range(5, 10)))
    assert pool.processes == 1
    assert pool.mean_level("in_use") == pytest.approx(1.0)


def test_a_missing_second_of_the_application_does_not_lower_its_levels(tmp_path: Path) -> None:
    pool = pool_of(tmp_path, list(map(load_second, range(10))), web(0, range(8)))
    assert pool.rounds[0].seconds == 10.0
    assert pool.mean_level("in_use") == pytest.approx(1.0)


def test_the_wait_of_each_second_is_the_applications(tmp_path: Path) -> None:
    pool = two_processes(tmp_path)
    (round_,) = pool.rounds
    assert round_.data.wait_p95s == pytest.approx([0.020] * 10, rel=0.01)
    assert len(round_.data.batches) == 10
    spread = seconds_spread(pool)
    assert spread
    assert spread.throughput == (10.0, 10.0)


def test_waits_that_began_before_are_those_of_the_application(tmp_path: Path) -> None:
    waiting = web(0, range(4))
    for one in waiting:
        one.unfinished = interval(unfinished=[300]).unfinished
    load = [load_second(0, period="warmup"), *map(load_second, range(1, 4))]
    pool = pool_of(tmp_path, load, waiting)
    (round_,) = pool.rounds
    assert round_._waiting_at_the_start().count == 1
    assert round_.times("wait", cut_off_by_waits=True).unfinished.count == 1


def test_levels_over_time_have_both(tmp_path: Path) -> None:
    found = levels_over_time(two_processes(tmp_path), ["open", "generator_cpu"])
    assert found.typical("open") == 4.0
    assert found.typical("generator_cpu") == pytest.approx(0.5)


def test_a_stage_has_its_own_seconds_of_the_application(tmp_path: Path) -> None:
    load = list(map(load_second, range(4)))
    for second, one in enumerate(load):
        one.stage = "calm" if second < 2 else "peak"
    busy = [*web(0, range(2)), *web(0, range(2, 4), checkouts=30)]
    stages = [{"name": name, "duration": 2.0, "users": 1} for name in ("calm", "peak")]
    pool = pool_of(tmp_path, load, busy, load={"users": 1, "stages": stages})
    checkouts = [pool.stage(name).counters["checkouts"] for name in ("calm", "peak")]
    assert checkouts == [20, 60]


def test_a_run_may_be_read_in_parts(tmp_path: Path) -> None:
    found = read(two_processes(tmp_path).runs[0].path)
    lines, whole = list(found.intervals), Round.of(found)
    for place in range(1, len(lines)):
        parts = [reduced(found.header, half) for half in (lines[:place], lines[place:])]
        joined = Round(found, Reduced.joined(parts))
        assert joined.together == whole.together
        assert joined.data.wait_p95s == whole.data.wait_p95s
        assert joined.most_at_once == whole.most_at_once


def test_files_are_read_as_rounds(tmp_path: Path) -> None:
    pool = two_processes(tmp_path)
    (found,) = read_rounds([pool.runs[0].path])
    assert isinstance(found, Round)
    assert found.together == pool.rounds[0].together


def test_the_summary_has_both(tmp_path: Path) -> None:
    path = two_processes(tmp_path).runs[0].path
    (told,) = summarize(gather([read(path)])).pools
    assert told.throughput.per_second == 10.0
    assert told.checkout.count == 200
    assert told.processes == 2
    assert told.pool.pool_size == 2


def plain(folder: Path) -> Path:
    """A run of a scenario, whose processes have pools."""
    seconds = [
        interval(
            second,
            process=process,
            counters={"requests": 10, "checkouts": 10, "cpu": SECOND // 4},
            gauges={"open": 3, "in_use": 2},
            wait=[5] * 10,
            request=[20] * 10,
        )
        for second in range(5)
        for process in ("p1", "p2")
    ]
    return run(folder, seconds, "3+0").path


def test_old_files_read_as_before(tmp_path: Path) -> None:
    path = plain(tmp_path)
    assert b'"role"' not in path.read_bytes()
    assert b'"driven"' not in path.read_bytes()
    (pool,) = gather([read(path)]).pools
    (round_,) = pool.rounds
    assert not pool.driven
    assert (round_.most_at_once, round_.peak("open")) == (2, 6)
    assert round_.of_pools is round_.measured
    assert round_.together.counters["cpu"] == 10 * SECOND // 4
    assert pool.mean_level("in_use") == 4.0
    assert round_.data.wait_p95s == [one.wait_p95 for one in round_.data.batches]


def findings_of(pool: PoolRuns) -> dict[str, str]:
    """The messages of a pool's findings by their codes."""
    doubted = doubts(pool)
    return {one.code: one.message for one in chain(doubted, remarks(pool, doubted))}


def unused(second: int) -> Interval:
    """A second of an application whose pool was not used."""
    return interval(second, process="web-0", gauges={"open": 0, "in_use": 0})


def test_requests_without_a_checkout_name_the_application(tmp_path: Path) -> None:
    pool = pool_of(tmp_path, map(load_second, range(3)), map(unused, range(3)))
    message = findings_of(pool)["no_checkouts"]
    assert "the measured pool of the application: its routes use another engine" in message
    assert "--session" not in message


def test_no_request_at_all_names_the_log(tmp_path: Path) -> None:
    load = [load_second(second, requests=0) for second in range(3)]
    message = findings_of(pool_of(tmp_path, load, map(unused, range(3))))["nothing_ended"]
    assert "the tasks make no request" in message
    assert "The application's log may show which." in message
    assert "--try" not in message


def test_the_generator_has_no_driver_that_blocks(tmp_path: Path) -> None:
    load = [load_second(second, generator_lag=[90] * 10) for second in range(5)]
    message = findings_of(pool_of(tmp_path, load, web(0, range(5))))["generator_lag"]
    assert "use FastHttpUser" in message
    assert "driver" not in message
    assert "--model threads" not in message


def test_connections_of_the_application_need_no_files_of_the_generator(tmp_path: Path) -> None:
    host = {"open_files": 2}
    pool = pool_of(tmp_path, map(load_second, range(5)), web(0, range(5)), host=host)
    assert pool.peak("open") == 2
    assert "little_headroom" not in findings_of(pool)


def test_a_second_of_the_application_may_be_late(tmp_path: Path) -> None:
    late = web(0, range(4))
    late[1].length = 1500 * MILLISECOND
    late[2].length = 500 * MILLISECOND
    pool = pool_of(tmp_path, map(load_second, range(4)), late)
    assert pool.counters["checkouts"] == 40
