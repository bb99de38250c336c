"""A results folder that is removed, filled up, or used by two at once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL

from loadtest.model.end_reason import End, EndReason
from loadtest.model.errors import CannotGoOn, LoadtestError, UsageError
from loadtest.runfile.folders import new_folder, written_in
from loadtest.runfile.reader import read_run
from loadtest.runfile.writer import RunWriter
from tests.analysis.builders import header, interval
from tests.processes import locust_command, running, stop_with, warm_locust_command
from tests.survival.scene import (
    assert_nothing_left,
    at,
    by_hand,
    compare_command,
    run_command,
    run_files,
    seconds_measured,
    under_way,
)


@pytest.mark.server
@pytest.mark.long
def test_a_folder_that_is_removed_in_the_middle_of_a_comparison(tmp_path: Path, url: URL) -> None:
    results = tmp_path / "results"
    with running(tmp_path / "log", *compare_command(results), env=at(url)) as tool:
        under_way(tool, results)
        shutil.rmtree(results)

        assert tool.wait() == 1, tool.output
        assert_nothing_left(tool)
    assert f"the results folder {results}" in tool.output
    assert "no longer exists" in tool.output
    assert tool.output.count("$ locust") == 1, "no further run is tried"


@pytest.mark.server
def test_a_result_that_is_removed_is_no_success_of_a_run_by_hand(tmp_path: Path, url: URL) -> None:
    results = tmp_path / "results"
    command = by_hand(results, command=warm_locust_command)
    with running(tmp_path / "log", *command, env=at(url)) as process:
        path = under_way(process, tmp_path)
        shutil.rmtree(results)

        assert stop_with(process, signal.SIGTERM) == 1
        assert_nothing_left(process)
    assert f"the result file {path} no longer exists" in process.output


@pytest.mark.server
@pytest.mark.long
def test_a_disk_that_fills_up_under_a_command_keeps_what_was_written(
    tmp_path: Path, url: URL
) -> None:
    command = run_command(tmp_path / "results", "-t", "30s")
    limited = ("bash", "-c", 'ulimit -f 12; exec "$@"', "bash", *command)
    with running(tmp_path / "log", *limited, env=at(url)) as tool:
        code = tool.wait()
        assert_nothing_left(tool)

    assert code in (1, 2), tool.output
    (path,) = run_files(tmp_path)
    assert path.stat().st_size == 12 * 1024
    run = read_run(path)
    assert run.intervals
    assert not run.finished
    assert "File too large" in tool.output


@pytest.mark.server
@pytest.mark.long
def test_two_tools_at_once_have_a_folder_each(tmp_path: Path) -> None:
    command = run_command(tmp_path / "results", "-t", "3s")
    with (
        running(tmp_path / "one", *command) as one,
        running(tmp_path / "other", *command) as other,
    ):
        assert {one.wait(), other.wait()} <= {0, 4}, one.output + other.output
        assert_nothing_left(one)
        assert_nothing_left(other)
    files = run_files(tmp_path / "results")
    folders = {path.resolve().parent.parent for path in files}
    assert len(folders) == 2
    assert all(not read_run(path).problems for path in files)
    assert (tmp_path / "results" / "latest").resolve() in folders


@pytest.mark.server
@pytest.mark.long
def test_a_result_file_that_another_run_is_writing_is_left_alone(tmp_path: Path, url: URL) -> None:
    path = tmp_path / "run.jsonl"
    with running(tmp_path / "log", *by_hand(path), env=at(url)) as first:
        under_way(first, tmp_path)
        seconds = seconds_measured(path)
        other = ("-f", "tests/findings/scenarios/query.py", "--headless", "--results", path)
        with running(tmp_path / "other", *locust_command(*other), env=at(url)) as second:
            assert second.wait() == 2, second.output
            assert f"another run is writing the result file {path}" in second.output
            assert_nothing_left(second)
        assert stop_with(first, signal.SIGTERM) == 0
    run = read_run(path)
    assert list(run.problems) == []
    assert len(run.intervals) > seconds


def test_a_file_is_another_runs_until_that_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    first = RunWriter(path, header())
    first.add(interval(0))
    with pytest.raises(UsageError, match="another run is writing"):
        RunWriter(path, header())
    first.add(interval(1))
    first.close(End(EndReason.FINISHED), {})
    assert len(read_run(path).intervals) == 2

    RunWriter(path, header()).close(End(EndReason.FINISHED), {})
    assert read_run(path).intervals == []


RACE = """
import sys
from pathlib import Path
from loadtest.runfile import folders
folders.time.strftime = lambda _: "20260101-000000"
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    print(folders.new_folder(Path(sys.argv[1]), "same"), flush=True)
"""


def test_folders_of_the_same_second_are_never_shared(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACE, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    tools = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for tool in tools:
        tool.stdout.readline()
    for tool in tools:
        tool.stdin.write("\n")
        tool.stdin.flush()
    folders = [line for tool in tools for line in tool.communicate()[0].split()]
    assert len(folders) == len(set(folders)) == 20
    assert (tmp_path / "latest").exists()


def test_more_folders_of_one_second_than_anybody_makes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtest.runfile.folders.MOST_OF_A_SECOND", 3)
    monkeypatch.setattr("time.strftime", lambda _: "now")
    names = [new_folder(tmp_path, "x").name for _ in range(2)]
    assert names == ["x-now", "x-now.2"]
    with pytest.raises(UsageError, match="File exists"):
        new_folder(tmp_path, "x")


@pytest.mark.parametrize(("there", "kind"), [(True, LoadtestError), (False, CannotGoOn)])
def test_what_cannot_be_written_is_told_with_its_folder(
    tmp_path: Path, there: bool, kind: type[LoadtestError]
) -> None:
    folder = tmp_path if there else tmp_path / "gone"
    with pytest.raises(LoadtestError, match=str(folder)) as failure, written_in(folder):
        (folder / "no" / "file").write_text("")
    assert type(failure.value) is kind
