"""A master with its workers on this machine: however it ends, they end too."""

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from loadtest.model.interval import total
from loadtest.runfile.reader import read_run
from tests.processes import free_port, locust_command, run_locust, running, so_far, stop_with

pytestmark = pytest.mark.server


def two_workers(*more: Any, files: str = "scenarios/point_select.py") -> list[str]:
    """Locust with two workers, on a port of its own: others here may have a master too."""
    port = free_port()
    arguments = ["-f", files, "--headless", "--only-summary"]
    arguments += ["--processes", "2", "-u", "20", "-r", "20", "--pool-size", "2"]
    ports = ["--master-bind-port", str(port), "--master-port", str(port), "--max-overflow", "1"]
    return [*arguments, *ports, *map(str, more)]


@pytest.mark.long
def test_a_signal_to_the_master_ends_its_workers_too(tmp_path: Path, url: URL) -> None:
    """Both scenarios have a request `buy`; each worker gives it the name of its scenario."""
    files = "scenarios/hot_row.py,scenarios/order_flow.py"
    path = tmp_path / "run.jsonl"
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    command = locust_command(*two_workers("--results", path, files=files))
    with running(tmp_path / "log", *command, env=environment) as process:
        process.until(lambda: len(so_far(path)) >= 4, "two seconds")
        assert stop_with(process, signal.SIGTERM) == 0

    run = read_run(path)
    assert list(run.problems) == []
    assert run.footer is not None
    assert str(run.footer.end) == "interrupted"
    assert Counter(run.footer.totals.counters) == +total(run.intervals).counters
    drained = {interval.process for interval in run.intervals if interval.period == "drain"}
    assert drained == {interval.process for interval in run.intervals}
    assert len(drained) == 2
    tasks = {task for interval in run.intervals for task in interval.tasks}
    assert tasks >= {"HotRow: buy", "browse"}
    assert "buy" not in tasks


def test_a_pool_that_cannot_be_ends_master_and_workers(tmp_path: Path, url: URL) -> None:
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    arguments = two_workers("-t", "4s", "--results", tmp_path / "run.jsonl", "--pool-timeout=-1")

    ended = run_locust(tmp_path / "log", *arguments, env=environment)

    assert ended.wait() == 2
    assert "pool_timeout" in ended.output
    assert "Traceback" not in ended.output
    assert not (tmp_path / "run.jsonl").exists()


@pytest.mark.long
def test_workers_do_not_outlive_a_killed_master(tmp_path: Path, url: URL) -> None:
    path = tmp_path / "run.jsonl"
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    with running(
        tmp_path / "log", *locust_command(*two_workers("--results", path)), env=environment
    ) as process:
        process.until(lambda: len(so_far(path)) >= 2, "a second")
        stop_with(process, signal.SIGKILL)

    assert not read_run(path).finished
