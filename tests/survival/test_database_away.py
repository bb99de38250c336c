"""A database that is not there, goes away in the middle, and comes back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from loadtest.database.preflight import OTHERWISE
from loadtest.database.private import PrivateServer
from loadtest.interval import total
from loadtest.results import read_run
from tests.processes import loadtest_command, locust_command, running
from tests.survival.door import Door
from tests.survival.scene import (
    POINT_SELECT,
    assert_nothing_left,
    at,
    compare_command,
    run_command,
    run_files,
    seconds_measured,
    under_way,
)

pytestmark = pytest.mark.database
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


def test_one_that_is_not_there_is_named_before_anything_is_made(tmp_path: Path, door: Door) -> None:
    door.shut()
    with running(tmp_path / "log", *run_command(tmp_path / "results"), env=at(door.url)) as tool:
        assert tool.wait() == 2
        assert_nothing_left(tool)
    assert f"no database answers at 127.0.0.1:{door.url.port}" in tool.output
    assert not (tmp_path / "results").exists()


def test_a_freeze_of_somebody_elses_server_is_refused_before_that_is_asked(
    tmp_path: Path, door: Door
) -> None:
    door.shut()
    command = run_command(tmp_path / "results", "--fault", "freeze@1s+1s")
    with running(tmp_path / "log", *command, env=at(door.url)) as tool:
        assert tool.wait() == 2
        assert_nothing_left(tool)
    assert "only a private server is frozen" in tool.output
    assert "no database answers" not in tool.output


def test_one_that_comes_back_is_used_again(tmp_path: Path, door: Door) -> None:
    command = run_command(tmp_path / "results", "-t", "12s", "--pool", "2+0")
    with running(tmp_path / "log", *command, env=at(door.url)) as tool:
        path = under_way(tool, tmp_path)
        door.shut()
        shut_for = seconds_measured(path) + 3
        tool.until(lambda: seconds_measured(path) >= shut_for, "three seconds without it")
        door.open()
        assert tool.wait() in (0, 4), tool.output
        assert_nothing_left(tool)

    # On a busy machine the run was disturbed, and done once more without anything happening.
    path, *_ = *path.parent.parent.glob("disturbed/*.jsonl"), path
    run = read_run(path)
    assert list(run.problems) == []
    whole = total(run.intervals)
    assert whole.counters["failures"] > 0
    late = total(run.intervals[-4:])
    assert late.counters["requests"] > late.counters["failures"]
    assert (path.parent.parent / "report.html").exists()


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
    assert OTHERWISE not in tool.output


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
    assert "still wait in on_stop for an answer: they are ended" in tool.output
