"""A tool that is killed leaves a result that can be read, and nothing that runs."""

from __future__ import annotations

import signal
from pathlib import Path

from loadtest.report.render import read_measurements
from tests.driving.applications import driving
from tests.processes import fetch, loadtest_command, running, stop_with


def measured(path: Path) -> bool:
    """Whether there is a measured second in any of the files below a folder."""
    return any('"period":"measured"' in one.read_text() for one in path.glob("*/runs/*.jsonl"))


def test_a_killed_tool_leaves_a_readable_result(tmp_path: Path) -> None:
    ready, arguments = driving(tmp_path, "-t", "60s", "--pool", "1+0")
    with running(
        tmp_path / "log", *loadtest_command(*arguments), cwd=tmp_path, warm=True
    ) as process:
        process.until(lambda: measured(tmp_path / "reports"), "a measured second")
        stop_with(process, signal.SIGKILL)
    assert fetch(ready) == ""
    (folder,) = tmp_path.glob("reports/*-*")
    (pool,) = read_measurements([folder]).pools
    assert (pool.settings.pool_size, pool.settings.max_overflow) == (1, 0)
    assert pool.header.driven
    assert pool.header.driven.ready == ready
    assert not list(folder.glob("runs/*.app"))


def test_an_interrupted_tool_merges_what_was_measured(tmp_path: Path) -> None:
    ready, arguments = driving(tmp_path, "-t", "60s", "--pool", "1+0")
    with running(
        tmp_path / "log", *loadtest_command(*arguments), cwd=tmp_path, warm=True
    ) as process:
        process.until(lambda: measured(tmp_path / "reports"), "a measured second")
        stop_with(process, signal.SIGINT)
    assert fetch(ready) == ""
    assert "Interrupted: the report covers what was measured" in process.output
    assert (tmp_path / "reports" / "latest" / "report.html").exists()
    assert not list(tmp_path.glob("reports/*-*/runs/*.app"))
