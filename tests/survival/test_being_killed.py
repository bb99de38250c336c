"""Any process is killed at any moment: no process stays, written data stays, no success."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import URL

from loadtest.database.server_status import SERVER_PROCESSES
from tests.processes import PATIENCE_SECONDS, Running, loadtest_command, running, stop_with
from tests.survival.scene import (
    assert_nothing_left,
    assert_sound_so_far,
    at,
    being_made,
    by_hand,
    compare_command,
    keeper_of,
    named,
    run_command,
    run_files,
    seconds_measured,
    server_folders,
    serving,
    under_way,
)

pytestmark = pytest.mark.server

MOMENTS: dict[str, Callable[[Running, Path], object]] = {
    "its server is being made": lambda tool, _: being_made(tool),
    "its server starts": lambda tool, _: serving(tool),
    "a run begins": lambda tool, _: "$ locust" in tool.output,
    "a run measures": lambda _, folder: [p for p in run_files(folder) if seconds_measured(p)],
    "the second run begins": lambda tool, _: tool.output.count("$ locust") == 2,
    "the report is drawn": lambda _, folder: [*folder.rglob("summary.json")],
}
OF_THE_SERVER = ("its server is being made", "its server starts")
QUICK = ("a run measures",)


def moments() -> list[Any]:
    """All moments: one for every day, and those in which the server is made on each server."""

    def marks(moment: str) -> list[pytest.MarkDecorator]:
        often = [] if moment in QUICK else [pytest.mark.long]
        return [*often, pytest.mark.database] if moment in OF_THE_SERVER else often

    return [pytest.param(moment, marks=marks(moment)) for moment in MOMENTS]


@pytest.mark.parametrize("moment", moments())
def test_a_comparison_that_is_killed_leaves_nothing_but_its_results(
    tmp_path: Path, moment: str
) -> None:
    command = compare_command(tmp_path / "results", "-t", "2s")
    with running(tmp_path / "log", *command) as tool:
        tool.until(lambda: MOMENTS[moment](tool, tmp_path / "results"), f"that {moment}")
        seconds = {path: seconds_measured(path) for path in run_files(tmp_path / "results")}
        servers = server_folders(tool)
        tool.signal(signal.SIGKILL)
        tool.process.wait()

        assert_nothing_left(tool, servers)
        for path, had in seconds.items():
            if had:
                assert_sound_so_far(path, had)


@pytest.mark.parametrize("victim", ["locust", pytest.param("its keeper", marks=pytest.mark.long)])
def test_a_run_whose_locust_is_killed_is_reported_and_no_success(
    tmp_path: Path, url: URL, victim: str
) -> None:
    command = run_command(tmp_path / "results", "-t", "60s")
    with running(tmp_path / "log", *command, env=at(url), warm=True) as tool:
        path = under_way(tool, tmp_path)
        seconds = seconds_measured(path)
        keeper = keeper_of(tool, "locust")
        (keeper.children()[0] if victim == "locust" else keeper).kill()

        assert tool.wait() == 1, tool.output
        assert_nothing_left(tool)

    run = assert_sound_so_far(path, seconds)
    assert not run.finished
    assert "Locust ended early" in tool.output
    assert victim != "locust" or "by signal 9" in tool.output
    (pool,) = json.loads((path.parent.parent / "summary.json").read_text())["pools"]
    assert "unsound_file" in [finding["code"] for finding in pool["findings"]]


@pytest.mark.long
def test_a_locust_that_is_killed_costs_a_comparison_its_run_and_no_other(
    tmp_path: Path, url: URL
) -> None:
    command = compare_command(tmp_path, "-t", "3s")
    with running(tmp_path / "log", *command, env=at(url)) as tool:
        under_way(tool, tmp_path, runs=2)
        keeper_of(tool, "locust").children()[0].kill()
        code = tool.wait()
        assert_nothing_left(tool)

    assert code in (4, 5), tool.output  # two rounds decide nothing
    assert len([path for path in run_files(tmp_path) if path.parent.name == "runs"]) == 4
    assert "round 1: Locust ended early, by signal 9" in tool.output


@pytest.mark.long
def test_a_relay_that_is_killed_is_named_in_the_report(tmp_path: Path, url: URL) -> None:
    command = run_command(tmp_path / "results", "--fault", "latency:1ms")
    with running(tmp_path / "log", *command, env=at(url)) as tool:
        path = under_way(tool, tmp_path)
        (relay,) = named(tool, "loadtest.experiment.faults.relay")
        relay.kill()
        code = tool.wait()
        assert_nothing_left(tool)

    assert code in (0, 4), tool.output
    assert "These tables still exist; drop them: loadtest_point_item\n" in tool.output
    assert_sound_so_far(path, 2)
    (pool,) = json.loads((path.parent.parent / "summary.json").read_text())["pools"]
    (failed,) = [one for one in pool["findings"] if one["code"] == "fault_failed"]
    assert "the relay for faults has ended early" in failed["message"]


def test_a_scenario_that_never_ends_its_import_does_not_outlive_the_tool(tmp_path: Path) -> None:
    scenario = tmp_path / "endless.py"
    begun = tmp_path / "begun"
    scenario.write_text(f"import time\nopen({str(begun)!r}, 'w').close()\ntime.sleep(600)\n")
    with running(tmp_path / "log", *loadtest_command("run", scenario)) as tool:
        tool.until(begun.exists, "its import")
        tool.signal(signal.SIGKILL)
        tool.process.wait()
        assert_nothing_left(tool)


@pytest.mark.long
@pytest.mark.parametrize(
    "victim", [pytest.param("server", marks=pytest.mark.database), "its keeper"]
)
def test_a_private_server_that_is_killed_ends_the_runs(tmp_path: Path, victim: str) -> None:
    with running(tmp_path / "log", *compare_command(tmp_path / "results")) as tool:
        path = under_way(tool, tmp_path)
        keeper, servers = keeper_of(tool, "--socket="), server_folders(tool)
        (keeper.children()[0] if victim == "server" else keeper).kill()

        assert tool.wait() == 1, tool.output
        assert_nothing_left(tool, servers)

    assert "the private server is gone" in tool.output
    assert run_files(tmp_path) == [path]
    assert (path.parent.parent / "report.html").exists()


def test_workers_that_are_all_killed_end_the_run_of_their_master(tmp_path: Path, url: URL) -> None:
    path = tmp_path / "run.jsonl"
    command = by_hand(path, "--processes", 2, "-t", "60s")
    with running(tmp_path / "log", *command, env=at(url)) as master:
        under_way(master, tmp_path)
        workers = psutil.Process(master.process.pid).children()
        for worker in workers:
            worker.kill()

        code = master.wait()
        assert_nothing_left(master)

    run = assert_sound_so_far(path, 2)
    assert run.footer
    assert {worker.state for worker in run.footer.workers} <= {"no heartbeat", "silent"}
    assert str(run.footer.end) == "failed: all workers are lost"
    assert code == 1, master.output


def test_workers_end_with_a_master_that_is_killed_before_it_was_ready(
    tmp_path: Path, url: URL
) -> None:
    command = by_hand(tmp_path / "run.jsonl", "--processes", 2)
    with running(tmp_path / "log", *command, env=at(url)) as master:
        master.until(
            lambda: len(psutil.Process(master.process.pid).children()) == 2, "both workers"
        )
        stop_with(master, signal.SIGKILL)


TESTS = """
import sys, time
from pathlib import Path
from tests.processes import Running
from tests.survival.scene import by_hand
folder = Path(sys.argv[1])
Running(folder / "inner", *by_hand(folder / "run.jsonl"))
time.sleep(600)
"""


@pytest.mark.long
def test_tests_that_are_killed_take_what_they_started_along(tmp_path: Path) -> None:
    with running(tmp_path / "log", sys.executable, "-c", TESTS, tmp_path) as tests:
        under_way(tests, tmp_path)
        started = psutil.Process(tests.process.pid).children(recursive=True)
        assert set(SERVER_PROCESSES) & {one.name() for one in started}
        tests.signal(signal.SIGKILL)
        tests.process.wait()
        _, alive = psutil.wait_procs(started, timeout=PATIENCE_SECONDS)
    assert alive == []
