"""Ctrl-C once ends in good order, twice at once; neither loses what was measured."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import URL

from loadtest.experiment.conduct import _done
from loadtest.model.errors import Ended, LoadtestError, UsageError
from loadtest.runfile.folders import new_folder
from tests.analysis.builders import interval, run
from tests.processes import (
    Running,
    loadtest_command,
    locust_command,
    running,
    stop_with,
    warm_locust_command,
)
from tests.survival.scene import (
    LONG_TASK,
    assert_nothing_left,
    assert_sound_so_far,
    at,
    being_made,
    by_hand,
    seconds_measured,
    server_folders,
    serving,
    under_way,
)


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A scenario whose users never end."""
    path = tmp_path / "slow.py"
    path.write_text(LONG_TASK)
    return path


def test_while_the_command_is_still_imported(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    slow = f"import time\nopen({str(begun)!r}, 'w').close()\ntime.sleep(600)\n"
    (tmp_path / "typer.py").write_text(slow)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with running(tmp_path / "log", *loadtest_command("doctor"), env={"PYTHONPATH": path}) as tool:
        tool.until(begun.exists, "the import")
        assert stop_with(tool, signal.SIGINT) == 130
    assert tool.output == ""


@pytest.mark.server
def test_twice_ends_a_command_at_once_with_a_report(tmp_path: Path, slow: Path, url: URL) -> None:
    load = ("-u", 2, "-t", "60s", "--warmup", "0s", "--no-try", "--results", tmp_path / "results")
    command = loadtest_command("run", slow, *load)
    with running(tmp_path / "log", *command, env=at(url), warm=True) as tool:
        path = under_way(tool, tmp_path)
        seconds = seconds_measured(path)
        tool.signal(signal.SIGINT)
        tool.until(lambda: b'"drain"' in path.read_bytes(), "the run to drain")
        asked = time.monotonic()
        code = stop_with(tool, signal.SIGINT)
        took = time.monotonic() - asked

        assert_nothing_left(tool)
    assert code in (0, 4), tool.output
    assert not assert_sound_so_far(path, seconds).finished, f"it was not at once but {took:.0f} s"
    assert (path.parent.parent / "report.html").exists()


@pytest.mark.server
def test_twice_ends_a_run_whose_event_loop_is_blocked(tmp_path: Path, url: URL) -> None:
    scenario, begun = tmp_path / "blocks.py", tmp_path / "begun"
    block = f"open({str(begun)!r}, 'w').close(); get_original('time', 'sleep')(600)"
    scenario.write_text(LONG_TASK.replace("time.sleep(60)", block))
    with scenario.open("a") as file:
        file.write("from gevent.monkey import get_original\n")
    load = ("-u", 1, "-t", "60s", "--warmup", "0s", "--no-try", "--results", tmp_path / "results")
    command = loadtest_command("run", scenario, *load)
    with running(tmp_path / "log", *command, env=at(url), warm=True) as tool:
        tool.until(begun.exists, "the event loop to be blocked")
        tool.signal(signal.SIGINT)
        time.sleep(0.5)
        stop_with(tool, signal.SIGINT)
        assert_nothing_left(tool)


@pytest.mark.server
def test_twice_ends_a_run_by_hand_at_once(tmp_path: Path, slow: Path) -> None:
    path = tmp_path / "run.jsonl"
    load = ("--headless", "-u", 2, "-r", 2, "--results", path)
    command = warm_locust_command("-f", slow, *load)
    with running(tmp_path / "log", *command) as process:
        under_way(process, tmp_path)
        seconds, servers = seconds_measured(path), server_folders(process)
        process.signal(signal.SIGINT)
        process.until(lambda: b'"drain"' in path.read_bytes(), "the run to drain")

        assert stop_with(process, signal.SIGINT) == 130
        assert_nothing_left(process, servers)
    assert not assert_sound_so_far(path, seconds).finished


@pytest.mark.database
@pytest.mark.parametrize(
    ("number", "moment"), [(signal.SIGTERM, being_made), (signal.SIGINT, serving)]
)
def test_while_the_private_server_starts(
    tmp_path: Path, number: signal.Signals, moment: Callable[[Running], bool]
) -> None:
    command = by_hand(tmp_path / "run.jsonl", command=warm_locust_command)
    with running(tmp_path / "log", *command) as process:
        process.until(lambda: moment(process), "the server to start")
        servers = server_folders(process)
        assert stop_with(process, number) != 0
        assert_nothing_left(process, servers)


@pytest.mark.server
@pytest.mark.long
def test_twice_with_workers(tmp_path: Path, slow: Path, url: URL) -> None:
    path = tmp_path / "run.jsonl"
    command = locust_command("-f", slow, "--headless", "-u", 2, "-r", 2, "--processes", 2)
    with running(tmp_path / "log", *command, "--results", path, env=at(url)) as process:
        under_way(process, tmp_path)
        process.signal(signal.SIGINT)
        process.until(lambda: b'"drain"' in path.read_bytes(), "the run to drain")
        assert stop_with(process, signal.SIGINT) == 130
        assert_nothing_left(process)


class TestBetweenTwoRuns:
    """What has been measured stays, whatever ends the rest."""

    def measured(self, folder: Path, error: BaseException | None) -> Any:
        """Runs of which one measured something and then something happened."""

        def runs() -> bool:
            run(folder, [interval(counters={"requests": 9})])
            if error:
                raise error
            return False

        return runs

    def test_an_interrupt(self, tmp_path: Path) -> None:
        folder = new_folder(tmp_path, "x")
        assert not _done(folder, Console(quiet=True), self.measured(folder, KeyboardInterrupt()))
        assert list(folder.glob("runs/*.jsonl"))

    @pytest.mark.parametrize("error", [LoadtestError("no"), UsageError("no")])
    def test_a_failure(self, tmp_path: Path, error: LoadtestError) -> None:
        folder = new_folder(tmp_path, "x")
        with pytest.raises(Ended, match="no") as ended:
            _done(folder, Console(quiet=True), self.measured(folder, error))
        assert (ended.value.folder, ended.value.exit_code) == (folder, error.exit_code)
        assert list(folder.glob("runs/*.jsonl"))

    def test_without_anything_measured_no_folder_stays(self, tmp_path: Path) -> None:
        folder = new_folder(tmp_path, "x")
        with pytest.raises(KeyboardInterrupt):
            _done(folder, Console(quiet=True), lambda: False)
        assert not folder.exists()
