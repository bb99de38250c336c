"""Findings about driven applications: requests of the generator, checkouts of the application."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from loadtest.analysis.comparison.recommendation import pool_flaws
from loadtest.analysis.driven.server_concurrency import configured_threads
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.interval import SECOND, SERVER, Interval
from loadtest.model.place_use import PlaceUse
from loadtest.model.pool import PoolSettings
from loadtest.model.request_use import RequestUse
from loadtest.model.task_use import TaskUse
from tests.analysis.builders import interval
from tests.analysis.driven_pools import SECONDS, driven_pool, findings_of, load, web
from tests.runfile.driven_runs import read

GUNICORN = "gunicorn --workers 2 --threads 16 shop.web:app"
PLACE = "shop/web.py:12 rows"


def test_an_application_that_is_fine_has_no_finding(tmp_path: Path) -> None:
    found = findings_of(driven_pool(tmp_path, load(), web(), web(1)))
    assert found.keys() == {"pool_per_process", "few_samples"}


# The application's processor


def test_processes_that_fill_their_cores_limit_the_throughput(tmp_path: Path) -> None:
    pool = driven_pool(tmp_path, load(), web(cpu=960), web(1, cpu=980))
    found = findings_of(pool)["application_bound"]
    assert found.severity == "warning"
    assert found.message.startswith(
        "The application is the bottleneck: its processes used 90 % of a core or more in 100 % of "
        "the measured time (97 % on average)."
    )
    (summary,) = summarize_runs([read(pool.runs[0].path)]).pools
    assert pool_flaws(summary) == [
        "With as-is the application, not the pool, limits the throughput (see the finding "
        "application_bound)."
    ]


def test_a_full_core_beside_an_idle_one_is_no_limit(tmp_path: Path) -> None:
    pool = driven_pool(tmp_path, load(), web(cpu=980), web(1, cpu=400))
    assert "application_bound" not in findings_of(pool)


def test_a_master_without_checkouts_does_not_hide_the_limit(tmp_path: Path) -> None:
    master = web(1, cpu=10, checkouts=0)
    assert "application_bound" in findings_of(driven_pool(tmp_path, load(), web(cpu=980), master))


def test_a_busy_generator_is_judged_alone(tmp_path: Path) -> None:
    busy = load(cpu=970_000_000)
    found = findings_of(driven_pool(tmp_path, busy, web(cpu=980)))
    assert "generator_bound" in found
    assert "application_bound" not in found
    found = findings_of(driven_pool(tmp_path / "calm", load(), web(cpu=980)))
    assert "generator_bound" not in found
    assert "application_bound" in found


# The server's concurrency


def test_threads_of_the_server_without_a_connection_each(tmp_path: Path) -> None:
    full = web(gauges={"in_use": 2, "waiting": 3})
    found = findings_of(driven_pool(tmp_path, load(), full, command=GUNICORN))
    below = found["pool_below_concurrency"]
    assert below.severity == "warning"
    assert below.message.startswith(
        "A process of the application serves up to 16 requests at once (gunicorn --threads), but "
        "its pool has 2 connections. The others wait: 3 on average"
    )
    assert below.evidence["requests"] == 16


def test_a_small_pool_that_is_not_used_up_is_a_note(tmp_path: Path) -> None:
    found = findings_of(driven_pool(tmp_path, load(), web(), command=GUNICORN))
    assert found["pool_below_concurrency"].severity == "info"


def test_a_pool_as_large_as_the_threads_is_no_finding(tmp_path: Path) -> None:
    pool = PoolSettings(name="shop", pool_size=10, max_overflow=6)
    found = findings_of(driven_pool(tmp_path, load(), web(), command=GUNICORN, pool=pool))
    assert "pool_below_concurrency" not in found


def test_the_measured_requests_at_once_stand_for_an_unknown_server(tmp_path: Path) -> None:
    full = web(gauges={"in_use": 2, "waiting": 5})
    found = findings_of(driven_pool(tmp_path, load(), full))["pool_below_concurrency"]
    assert "had up to 7 requests that needed a connection at once" in found.message
    assert (found.severity, found.evidence["source"]) == ("info", "measured")


def threaded_routes(
    poolclass: str = "QueuePool", **counters: int
) -> tuple[list[Interval], PoolSettings]:
    rows = web(gauges={"in_use": 2, "waiting": 1}, counters=counters)
    for one in rows:
        one.tasks = {"GET /rows": TaskUse(holds=10, hold=SECOND // 10)}
    return rows, PoolSettings("shop", poolclass, pool_size=2, max_overflow=0)


def test_routes_of_starlette_run_in_forty_threads(tmp_path: Path) -> None:
    rows, pool = threaded_routes()
    command = "uvicorn shop.web:app"
    found = findings_of(driven_pool(tmp_path, load(), rows, command=command, pool=pool))
    assert found["pool_below_concurrency"].evidence["requests"] == 40


@pytest.mark.parametrize("counters", [{}, {"blocking_checkouts": 10}])
def test_coroutines_have_no_threads(tmp_path: Path, counters: dict[str, int]) -> None:
    rows, pool = threaded_routes("QueuePool" if counters else "AsyncAdaptedQueuePool", **counters)
    command = "python -m uvicorn shop.web:app"
    found = findings_of(driven_pool(tmp_path, load(), rows, command=command, pool=pool))
    assert found["pool_below_concurrency"].evidence["source"] == "measured"


@pytest.mark.parametrize(
    ("command", "arguments", "threads"),
    [
        ("gunicorn --threads 16 shop:app", "", 16),
        ("/venv/bin/gunicorn --threads=8 shop:app", "", 8),
        ("gunicorn shop:app", "--threads 4", 4),
        ("gunicorn --threads 2 shop:app", "--threads 4", 2),
        ("python -m gunicorn --threads 3 shop:app", "", 3),
        ("gunicorn -k gthread --threads 3 shop:app", "", 3),
        ("gunicorn -k gevent --threads 3 shop:app", "", None),
        ("gunicorn -c settings.py shop:app", "", None),
        ("gunicorn shop:app", "'", None),
        ("waitress-serve --threads=6 shop:app", "", 6),
        ("python -m waitress --threads=6 shop:app", "--threads 4", 6),
        ("uvicorn shop:app", "--threads 4", None),
        ("python app.py --threads 3", "", None),
        ("gunicorn --threads many shop:app", "", None),
    ],
)
def test_threads_of_commands(command: str, arguments: str, threads: int | None) -> None:
    found = configured_threads(command.split(), {"GUNICORN_CMD_ARGS": arguments})
    assert (found.requests if found else None) == threads


# The fleet and the server


def accepting(number: int, *, private: bool = False) -> dict[str, object]:
    return {"private": private, "variables": {"max_connections": number}}


def test_a_fleet_may_exceed_its_server(tmp_path: Path) -> None:
    fleet = [web(number) for number in range(3)]
    pool = driven_pool(tmp_path, load(), *fleet, server=accepting(5))
    found = findings_of(pool)
    assert found["fleet_exceeds_server"].severity == "warning"
    assert "3 processes × (2 + 0) = up to 6 connections, but max_connections is 5" in (
        found["fleet_exceeds_server"].message
    )
    assert "exceeds_server" not in found


def test_a_server_that_is_large_enough_is_not_exceeded(tmp_path: Path) -> None:
    pool = driven_pool(tmp_path, load(), web(), web(1), server=accepting(4))
    assert "fleet_exceeds_server" not in findings_of(pool)


def test_failed_checkouts_make_it_an_error_on_any_server(tmp_path: Path) -> None:
    failing = web(counters={"checkout_errors": 2})
    calm = driven_pool(tmp_path / "a", load(), web(), server=accepting(1, private=True))
    assert "fleet_exceeds_server" not in findings_of(calm)
    pool = driven_pool(tmp_path / "b", load(), failing, server=accepting(1, private=True))
    assert findings_of(pool)["fleet_exceeds_server"].severity == "error"


# The event loop


def test_a_driver_that_blocks_the_event_loop(tmp_path: Path) -> None:
    blocked = web(counters={"blocking_checkouts": 10}, loop_lag=[0] * 50 + [100] * 10)
    found = findings_of(driven_pool(tmp_path, load(), blocked))["blocked_event_loop"]
    assert found.severity == "error"
    assert found.message.startswith(
        "100 of 100 checkouts were made in the application's event loop"
    )
    assert "(sqlite+pysqlite)" in found.message
    assert "late by 16.7 ms on average" in found.message


def test_a_busy_loop_of_an_asyncio_driver_is_not_blocked_by_it(tmp_path: Path) -> None:
    busy = web(loop_lag=[0] * 50 + [100] * 10)
    assert "blocked_event_loop" not in findings_of(driven_pool(tmp_path, load(), busy))


def test_a_loop_that_keeps_up_is_not_blocked(tmp_path: Path) -> None:
    quick = web(counters={"blocking_checkouts": 10}, loop_lag=[0] * 100)
    assert "blocked_event_loop" not in findings_of(driven_pool(tmp_path, load(), quick))


# Streams


def held(responding: int, after_response: int = 0) -> dict[str, PlaceUse]:
    routes = Counter({"GET /rows": 1})
    use = PlaceUse(checkouts=1, kept=1, responding=responding, routes=routes)
    use.after_response = after_response
    return {PLACE: use}


def test_a_connection_that_is_held_while_a_response_streams(tmp_path: Path) -> None:
    found = findings_of(driven_pool(tmp_path, load(), web(places=held(1))))["held_while_streaming"]
    assert found.message.startswith(
        f"`{PLACE}` (in `GET /rows`) held a connection while the response was sent, for 100 % of "
        "the time in which connections of the pool were in use."
    )


def test_a_background_task_is_no_stream(tmp_path: Path) -> None:
    found = findings_of(driven_pool(tmp_path, load(), web(places=held(0, after_response=1))))
    assert "held_while_streaming" not in found
    after = found["held_after_response"]
    assert after.severity == "info"
    assert after.message.startswith(
        f"`{PLACE}` (in `GET /rows`) held a connection after the response had been sent, for 100 % "
        "of the time in which connections of the pool were in use: a background task that uses it, "
        "or a session that is closed late."
    )
    assert after.evidence["found"] == len(SECONDS)


def test_other_holds_are_no_streams(tmp_path: Path) -> None:
    assert "held_while_streaming" not in findings_of(
        driven_pool(tmp_path / "none", load(), web(places=held(0)))
    )
    once = [*web(seconds=[0], places=held(1)), *web(seconds=range(1, 10), places=held(0))]
    assert "held_while_streaming" not in findings_of(driven_pool(tmp_path / "one", load(), once))


# Timeouts of the pool


def test_timeouts_of_the_pool_that_are_answered_with_5xx(tmp_path: Path) -> None:
    requests = [*load(range(5)), *load(range(5, 10), failures=4, errors__http_5xx=4)]
    timing_out = [*web(seconds=range(5)), *web(seconds=range(5, 10), counters={"timeouts": 4})]
    found = findings_of(driven_pool(tmp_path, requests, timing_out))["pool_timeouts_as_5xx"]
    assert found.severity == "error"
    assert found.message.startswith(
        "20 of 100 requests were answered with a 5xx status, 20 of them when checkouts timed out "
        "in the application (20 timeouts after 30.0 s)."
    )


@pytest.mark.parametrize("timeouts", [0, 4])
def test_5xx_at_other_times_have_another_cause(tmp_path: Path, timeouts: int) -> None:
    requests = [*load(range(5), failures=4, errors__http_5xx=4), *load(range(5, 10))]
    later = [*web(seconds=range(6)), *web(seconds=range(6, 10), counters={"timeouts": timeouts})]
    assert "pool_timeouts_as_5xx" not in findings_of(driven_pool(tmp_path, requests, later))


def test_requests_that_told_a_timeout_are_counted_exactly(tmp_path: Path) -> None:
    requests = load(failures=4, errors__http_5xx=4)
    for one in requests:
        one.requests = {"GET /rows": RequestUse(10, 4, timed_out=3, told_5xx=4, timed_out_5xx=3)}
    timing_out = web(counters={"timeouts": 3})
    found = findings_of(driven_pool(tmp_path / "told", requests, timing_out))
    message = found["pool_timeouts_as_5xx"].message
    assert "30 of them after a checkout of theirs timed out in the application" in message
    for one in requests:
        one.requests = {"GET /rows": RequestUse(10, 4, timed_out=1, told_5xx=4, timed_out_5xx=1)}
    found = findings_of(driven_pool(tmp_path / "few", requests, timing_out))
    assert "pool_timeouts_as_5xx" not in found


@pytest.mark.parametrize("told", [1, 4])
def test_timeouts_of_requests_that_succeeded_explain_no_5xx(tmp_path: Path, told: int) -> None:
    requests = load(failures=4, errors__http_5xx=4)
    for one in requests:
        one.requests = {"GET /rows": RequestUse(10, 4, timed_out=3, told_5xx=told)}
    found = findings_of(driven_pool(tmp_path, requests, web(counters={"timeouts": 3})))
    assert "pool_timeouts_as_5xx" not in found


# Processes that were not seen, or not for all of the time


def test_an_application_that_was_not_seen_all_the_time_is_not_valid(tmp_path: Path) -> None:
    pool = driven_pool(tmp_path, load(), web(seconds=range(6)))
    found = findings_of(pool)["application_unseen"]
    assert found.severity == "error"
    assert "recorded 6.00 s of 10.0 s under load (of 1 process)" in found.message
    (summary,) = summarize_runs([read(pool.runs[0].path)]).pools
    assert not summary.valid


def test_a_second_that_is_missing_is_no_doubt(tmp_path: Path) -> None:
    pool = driven_pool(tmp_path, load(), web(seconds=range(9)), web(1))
    assert "application_unseen" not in findings_of(pool)


def test_a_late_recorder_has_seen_the_time(tmp_path: Path) -> None:
    late = web(seconds=[0, 5])
    for one in late:
        one.length = 5 * SECOND
        one.gauges = {name: gauge for name, gauge in one.gauges.items() if name != "open"}
    found = findings_of(driven_pool(tmp_path, load(), late))
    assert not found.keys() & {"application_unseen", "application_restarted"}


def test_a_process_that_takes_over_is_a_restart(tmp_path: Path) -> None:
    pool = driven_pool(tmp_path, load(), web(seconds=range(5)), web(1, seconds=range(5, 10)))
    found = findings_of(pool)
    assert "application_unseen" not in found
    assert found["application_restarted"].severity == "info"
    assert found["application_restarted"].message.startswith(
        "1 process of the application ended while the load went on: web-0."
    )


def test_a_process_that_had_ended_when_the_load_did_is_named(tmp_path: Path) -> None:
    pool = driven_pool(tmp_path, load(), web(), web(1), ended=["web-1", "web-9"], asked=[2])
    found = findings_of(pool)["application_restarted"]
    assert (found.severity, found.evidence["processes"]) == ("warning", ["web-1"])


def test_processes_until_the_end_are_no_restart(tmp_path: Path) -> None:
    late = web(1, seconds=range(4, 10))
    pool = driven_pool(tmp_path, load(), web(seconds=range(9)), late)
    assert "application_restarted" not in findings_of(pool)


# What a recording of the same would say


def test_the_findings_of_recordings_name_places(tmp_path: Path) -> None:
    use = PlaceUse(10, holds=10, hold=2 * SECOND, query=SECOND // 50, needed=SECOND // 10)
    use.routes["POST /orders"] = 10
    idle = web(places={PLACE: use}, gauges={"in_use": 2})
    for one in idle:
        one.tasks = {"POST /orders": TaskUse(10, 2 * SECOND, 10, SECOND // 50)}
    found = findings_of(driven_pool(tmp_path, load(), idle))
    assert f"`{PLACE}` (in `POST /orders`) held a connection" in found["held_without_query"].message
    assert "long_hold" not in found


def test_a_full_pool_is_named_once(tmp_path: Path) -> None:
    full = web(gauges={"in_use": 2, "waiting": 4}, counters={"timeouts": 3})
    assert "pool_full" in findings_of(driven_pool(tmp_path / "unknown", load(), full))
    idle = [interval(n, process=SERVER, gauges={"threads_running": 1}) for n in SECONDS]
    found = findings_of(driven_pool(tmp_path / "idle", [*load(), *idle], full))
    assert "pool_bound" in found
    assert "pool_full" not in found
