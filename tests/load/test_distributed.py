"""A master with its workers on this machine: one result of all of them, and one end."""

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from loadtest.interval import total
from loadtest.results import read_run
from tests.processes import (
    fetch,
    free_port,
    locust_command,
    run_locust,
    running,
    samples,
    so_far,
    stop_with,
    until,
)

pytestmark = pytest.mark.database
POOL = (("db_client_connection_pool_name", "2+1"),)


def two_workers(*more: Any) -> list[str]:
    """Locust with two workers, on a port of its own: others here may have a master too."""
    port = free_port()
    arguments = ["-f", "scenarios/point_select.py", "--headless", "--only-summary"]
    arguments += ["--processes", "2", "-u", "20", "-r", "20", "--pool-size", "2"]
    ports = ["--master-bind-port", str(port), "--master-port", str(port), "--max-overflow", "1"]
    return [*arguments, *ports, *map(str, more)]


def test_two_processes_make_one_result(tmp_path: Path) -> None:
    path, metrics = tmp_path / "run.jsonl", free_port()
    command = locust_command(*two_workers("-t", "4s", "--results", path, "--metrics-port", metrics))
    with running(tmp_path / "log", *command) as process:
        process.until(lambda: len(so_far(path)) >= 4, "two seconds of two")
        page = samples(fetch(f"http://127.0.0.1:{metrics}/metrics"))
        assert process.wait() == 0, process.output
        until(process.gone, "the workers to end", context=lambda: str(process.alive()))

    run = read_run(path)
    assert list(run.problems) == []
    assert run.footer is not None
    assert run.footer["reason"] == "finished"
    assert run.header["load"]["processes"] == 2
    assert Counter(run.footer["totals"]["counters"]) == +total(run.intervals).counters
    parts = [
        [interval for interval in run.intervals if interval.process == name]
        for name in {interval.process for interval in run.intervals}
    ]
    assert len(parts) == 2
    for part in parts:
        whole = total(part)
        assert whole.gauges["users"].max == 10
        assert whole.gauges["open"].max == 3
        assert whole.counters["requests"] == whole.histograms["request"].count > 0
        assert part[-1].period == "drain"
        assert [i.second for i in part] == sorted(i.second for i in part)
    assert page["db_client_connection_max", POOL] == 6
    assert page["db_client_connection_idle_max", POOL] == 4
    assert "is missing" not in process.output
    assert "Traceback" not in process.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_master_ends_its_workers_too(
    tmp_path: Path, number: signal.Signals, url: URL
) -> None:
    path = tmp_path / "run.jsonl"
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    command = locust_command(*two_workers("--results", path))
    with running(tmp_path / "log", *command, env=environment) as process:
        process.until(lambda: len(so_far(path)) >= 4, "two seconds")
        assert stop_with(process, number) == 0

    run = read_run(path)
    assert list(run.problems) == []
    assert run.footer is not None
    assert run.footer["reason"] == "interrupted"
    assert Counter(run.footer["totals"]["counters"]) == +total(run.intervals).counters
    drained = {interval.process for interval in run.intervals if interval.period == "drain"}
    assert drained == {interval.process for interval in run.intervals}
    assert len(drained) == 2


def test_a_pool_that_cannot_be_ends_master_and_workers(tmp_path: Path, url: URL) -> None:
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    arguments = two_workers("-t", "4s", "--results", tmp_path / "run.jsonl", "--pool-timeout=-1")

    ended = run_locust(tmp_path / "log", *arguments, env=environment)

    assert ended.wait() == 2
    assert "pool_timeout" in ended.output
    assert "Traceback" not in ended.output
    assert not (tmp_path / "run.jsonl").exists()


def test_workers_do_not_outlive_a_killed_master(tmp_path: Path, url: URL) -> None:
    path = tmp_path / "run.jsonl"
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    with running(
        tmp_path / "log", *locust_command(*two_workers("--results", path)), env=environment
    ) as process:
        process.until(lambda: len(so_far(path)) >= 2, "a second")
        stop_with(process, signal.SIGKILL)

    assert not read_run(path).finished
