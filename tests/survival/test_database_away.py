"""A database that is not there, goes away in the middle, and comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from loadtest.database.connection_errors import PRIVATE_SERVER_HINT
from loadtest.database.private_server import PrivateServer
from loadtest.model.interval import Interval, total
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, without_database
from tests.processes import (
    loadtest_command,
    locust_command,
    running,
    so_far,
    stop_with,
    warm_locust_command,
)
from tests.survival.door import Door
from tests.survival.scene import (
    LOAD,
    POINT_SELECT,
    assert_nothing_left,
    at,
    by_hand,
    compare_command,
    run_files,
    seconds_measured,
    under_way,
)

pytestmark = pytest.mark.server
Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
APPLICATION = """
import os
from sqlalchemy import create_engine
engine = create_engine(os.environ["DOOR"], pool_size=2, max_overflow=0)
"""


@pytest.fixture
def door(url: URL) -> Iterator[Door]:
    """A door to the real database."""
    made = Door(url)
    yield made
    made.shut()


def refused(loadtest: Loadtest, results: Path, url: URL, *more: str) -> str:
    """What a run says that ends as wrong usage before anything is made."""
    command = ("run", POINT_SELECT, *LOAD, "--results", results, *more)
    ended = loadtest(*command, env={**without_database(), **at(url)}, cwd=ROOT)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert not results.exists()
    return ended.stderr


def test_one_that_is_not_there_is_named_before_anything_is_made(
    loadtest: Loadtest, tmp_path: Path, door: Door
) -> None:
    door.shut()
    said = refused(loadtest, tmp_path / "results", door.url)
    assert f"no database answers at 127.0.0.1:{door.url.port}" in said


def test_a_freeze_of_somebody_elses_server_is_refused_before_that_is_asked(
    loadtest: Loadtest, tmp_path: Path, door: Door
) -> None:
    door.shut()
    said = refused(loadtest, tmp_path / "results", door.url, "--fault", "freeze@1s+1s")
    assert "only a private server can be frozen" in said
    assert "no database answers" not in said


def test_one_that_comes_back_is_used_again(tmp_path: Path, door: Door) -> None:
    path = tmp_path / "run.jsonl"
    command = by_hand(path, "--pool-size", 2, "--max-overflow", 0, command=warm_locust_command)
    with running(tmp_path / "log", *command, env=at(door.url)) as process:
        under_way(process, tmp_path)
        door.shut()
        process.until(lambda: total(so_far(path)).counters["failures"], "failures")
        door.open()
        known = seconds_measured(path) + 1  # the second in which it came back has both
        process.until(lambda: any(map(_served, so_far(path)[known:])), "a second with it")
        assert stop_with(process, signal.SIGTERM) == 0, process.output
    assert list(read_run(path).problems) == []


def _served(second: Interval) -> bool:
    """Whether most requests of a second succeeded."""
    return second.counters["requests"] > 2 * second.counters["failures"]


@pytest.mark.long
def test_one_that_stays_away_is_told_once_and_ends_nothing_that_was_measured(
    tmp_path: Path, door: Door
) -> None:
    with running(tmp_path / "log", *compare_command(tmp_path), env=at(door.url)) as tool:
        path = under_way(tool, tmp_path)
        door.shut()
        code = tool.wait()
        assert_nothing_left(tool)

    assert code in (4, 5), tool.output
    assert tool.output.count("no database answers") == 1
    assert tool.output.count("the same") == 2
    assert run_files(tmp_path) == [path]
    assert read_run(path).finished
    summary = json.loads((path.parent.parent / "summary.json").read_text())
    assert not summary["verdict"]["recommended"]


@pytest.mark.long
def test_of_an_application_no_other_database_is_advised(tmp_path: Path, door: Door) -> None:
    (tmp_path / "shop.py").write_text(APPLICATION)
    environment = {
        "DOOR": door.url.render_as_string(hide_password=False),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
    }
    command = loadtest_command(
        *("compare", POINT_SELECT, "--engine", "shop:engine", "--pool", "as-is", "--pool", "3+0"),
        *("-u", 4, "-t", "4s", "--warmup", "0s", "--rounds", 2, "--results", tmp_path / "results"),
    )
    with running(tmp_path / "log", *command, env=environment) as tool:
        under_way(tool, tmp_path)
        door.shut()
        assert tool.wait() in (4, 5), tool.output
        assert_nothing_left(tool)
    assert tool.output.count("no database answers") == 1
    assert "--database-url" not in tool.output
    assert PRIVATE_SERVER_HINT not in tool.output


@pytest.mark.long
def test_one_that_falls_silent_holds_up_no_end(tmp_path: Path) -> None:
    """Users ask it once more in `on_stop`, and no driver waits for less than for ever."""
    path = tmp_path / "run.jsonl"
    arguments = ("-f", "scenarios/_database_down.py", "--headless", "-u", 4, "-r", 4, "-t", "4s")
    command = locust_command(*arguments, "--stop-timeout", 1, "--results", path)
    with PrivateServer() as server, running(tmp_path / "log", *command, env=at(server.url)) as tool:
        under_way(tool, tmp_path)
        server.process.suspend()
        tool.until(lambda: read_run(path).finished, "the end of the run")
        server.process.resume()
        assert tool.wait() == 0, tool.output
        assert_nothing_left(tool)
    assert "still wait for an answer in on_stop: the run ends them" in tool.output
