"""The folder of a recording: parts that dead processes left, and the oldest ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.model.end_reason import End, EndReason
from loadtest.recording.part_files import AT_ONCE, QUIET_SECONDS, delete_oldest, end_left_parts
from loadtest.recording.process_recorder import ProcessRecorder
from loadtest.runfile.writer import RunWriter
from tests.recording.recorded import counted_in, made, python, runs_in, use
from tests.recording.test_rolling_file import interval

NAME = "shop-host-17-20261130-120000-{:04}.jsonl"
OTHERS = ("shop-1.jsonl", "notes.gz", "shop-host-17-20261130-120000-0001.jsonl.gz.part")


def left(folder: Path, number: int = 1, name: str = NAME) -> Path:
    """A part whose writer has died, a while ago."""
    writer = RunWriter(folder / name.format(number), {"pool": {"name": "shop"}})
    for second in (1, 2):
        writer.add(interval(second))
    writer.abandon()
    long_ago = writer.path.stat().st_mtime - 2 * QUIET_SECONDS
    os.utime(writer.path, (long_ago, long_ago))
    return writer.path


class TestLeftParts:
    """Parts without a footer."""

    def test_a_part_of_a_dead_process_is_ended_and_compressed(self, tmp_path: Path) -> None:
        path = left(tmp_path / "runs")
        end_left_parts(tmp_path / "runs")
        assert [one.name for one in path.parent.iterdir()] == [f"{path.name}.gz"]
        (run,) = runs_in(path.parent)
        assert run.problems == ()
        assert run.footer
        assert run.footer.end.reason is EndReason.STOPPED
        assert run.footer.totals.counters == counted_in(run) == {"checkouts": 3}

    def test_a_line_that_was_being_written_is_cut_off(self, tmp_path: Path) -> None:
        path = left(tmp_path / "runs")
        whole = path.read_bytes()
        path.write_bytes(whole[:-7])
        end_left_parts(path.parent, quiet=0)
        (run,) = runs_in(path.parent)
        assert run.problems == ()
        assert run.intervals == [interval(1)]

    def test_a_damaged_line_stays_and_is_seen(self, tmp_path: Path) -> None:
        path = left(tmp_path / "runs")
        path.write_bytes(path.read_bytes().replace(b'"second":1750000001', b'"sec{nd":1750000001'))
        end_left_parts(path.parent, quiet=0)
        (run,) = runs_in(path.parent)
        assert [problem.split("(")[0] for problem in run.problems] == ["line 2 is damaged "]
        assert run.intervals == [interval(2)]

    def test_a_part_that_has_its_footer_is_only_compressed(self, tmp_path: Path) -> None:
        writer = RunWriter(tmp_path / NAME.format(1), {"pool": {"name": "shop"}})
        writer.close(End(EndReason.FINISHED), {})
        end_left_parts(tmp_path, quiet=0)
        (run,) = runs_in(tmp_path)
        assert run.footer
        assert run.footer.end.reason is EndReason.FINISHED

    def test_the_part_of_a_living_process_is_left_alone(self, tmp_path: Path) -> None:
        writer = RunWriter(tmp_path / NAME.format(1), {"pool": {"name": "shop"}})
        before = writer.path.read_bytes()
        end_left_parts(tmp_path, quiet=0)
        assert writer.path.read_bytes() == before
        writer.abandon()

    def test_a_part_that_changed_a_moment_ago_is_left_alone(self, tmp_path: Path) -> None:
        path = left(tmp_path)
        path.touch()
        end_left_parts(tmp_path)
        assert path.exists()

    def test_other_files_are_left_alone(self, tmp_path: Path) -> None:
        for name in OTHERS:
            left(tmp_path, name=name)
        end_left_parts(tmp_path, quiet=0)
        delete_oldest(tmp_path, 0)
        assert {path.name for path in tmp_path.iterdir()} == set(OTHERS)

    def test_a_few_are_ended_at_once(self, tmp_path: Path) -> None:
        for number in range(AT_ONCE + 2):
            left(tmp_path, number)
        end_left_parts(tmp_path)
        assert len(list(tmp_path.glob("*.jsonl"))) == 2
        end_left_parts(tmp_path)
        assert len(list(tmp_path.glob("*.jsonl.gz"))) == AT_ONCE + 2

    def test_a_folder_that_does_not_exist_is_no_error(self, tmp_path: Path) -> None:
        end_left_parts(tmp_path / "runs")
        delete_oldest(tmp_path / "runs", 0)
        assert not (tmp_path / "runs").exists()


def closed(folder: Path, number: int, size: int) -> Path:
    """A compressed part; the higher its number, the later it was closed."""
    path = folder / f"{NAME.format(number)}.gz"
    path.write_bytes(b"x" * size)
    os.utime(path, (number, number))
    return path


def test_the_parts_that_were_closed_first_are_deleted(tmp_path: Path) -> None:
    parts = [closed(tmp_path, number, 100) for number in (3, 1, 2, 4)]
    unfinished = tmp_path / NAME.format(5)
    unfinished.write_bytes(b"x" * 100)
    os.utime(unfinished, (0, 0))
    delete_oldest(tmp_path, 500)
    assert all(path.exists() for path in parts)
    delete_oldest(tmp_path, 320)
    assert [path.exists() for path in parts] == [True, False, False, True]
    delete_oldest(tmp_path, 0)
    assert list(tmp_path.iterdir()) == [unfinished]


def test_a_process_looks_after_the_folder_of_its_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProcessRecorder, "resume", lambda self: None)
    recorder, engine = ProcessRecorder(), made()
    recorder.add(engine, {"folder": tmp_path, "keep_megabytes": "0.0008"})
    of_dead, oldest = left(tmp_path, 2), closed(tmp_path, 1, 700)
    use(engine)
    recorder._cut()
    assert not of_dead.exists()
    assert not oldest.exists()
    last = closed(tmp_path, 3, 900)
    for _ in range(59):
        recorder._cut()
    assert last.exists()
    recorder._cut()
    assert not last.exists()
    recorder.close()
    engine.dispose()


ENDS = """
import os, signal, sys
from sqlalchemy import QueuePool, create_engine
from loadtest.recording import record
engine = create_engine("sqlite:///shop.db", poolclass=QueuePool)
def use():
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
"""


def test_a_command_that_ends_by_a_signal_has_its_part_ended_by_the_launcher(tmp_path: Path) -> None:
    script = f"{ENDS}use(); import time; time.sleep(1.3); os.kill(os.getpid(), signal.SIGTERM)"
    command = [sys.executable, "-m", "loadtest", "record", "--", sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    (run,) = runs_in(tmp_path / "reports" / "latest" / "runs")
    assert run.footer
    assert run.footer.end.reason is EndReason.STOPPED
    assert counted_in(run)["checkouts"] == 1


def test_a_child_of_celery_ends_its_part(tmp_path: Path) -> None:
    script = f"""{ENDS}
from celery import signals
record(engine)
child = os.fork()
if not child:
    use()
    signals.worker_process_shutdown.send(sender=None, pid=os.getpid(), exitcode=0)
    os._exit(0)
os.waitpid(child, 0)
"""
    said = python(script, cwd=tmp_path)
    assert said.stderr == ""
    runs = runs_in(tmp_path / "recordings")
    assert {counted_in(run)["checkouts"]: run.finished for run in runs} == {0: True, 1: True}
