"""Applications in a process of their own: threads, forks, their end, and a disk that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.runfile.reader import Run
from tests.recording.recorded import counted_in, python, runs_in

BEGIN = """
import os, sys, threading, time
from sqlalchemy import QueuePool, create_engine
from loadtest.recording import record
engine = create_engine("sqlite:///shop.db", poolclass=QueuePool, pool_size=2, max_overflow=0)
record(engine)
def use(times=1):
    for _ in range(times):
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
"""
IMPORTED = """
print({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names))
"""


def recorded(folder: Path) -> list[Run]:
    return runs_in(folder / "recordings")


def pid(run: Run) -> int:
    return int(run.told["recording"]["process"].rpartition("-")[2])


def test_a_thread_writes_the_seconds_and_the_end_writes_the_rest(tmp_path: Path) -> None:
    said = python(BEGIN + "use(5); time.sleep(2.2); use(2); print(os.getpid())", cwd=tmp_path)
    assert said.stderr == ""
    (run,) = recorded(tmp_path)
    assert pid(run) == int(said.stdout)
    assert run.problems == ()
    assert 1 <= run.intervals[0].counters["checkouts"] <= 5
    assert len(run.intervals) >= 3
    assert counted_in(run)["checkouts"] == 7
    seconds = [one.second for one in run.intervals]
    assert seconds == sorted(set(seconds))


def test_the_application_imports_little(tmp_path: Path) -> None:
    said = python(BEGIN + IMPORTED, cwd=tmp_path)
    packages = set(said.stdout.strip("{}\n").replace("'", "").split(", "))
    allowed = {"sqlalchemy", "greenlet", "numpy", "loadtest", "typing_extensions", "cython_runtime"}
    allowed.add("sitecustomize")  # of Debian's Python
    assert {name for name in packages if not name.startswith("_")} <= allowed


def test_threads_that_go_on_do_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    script = """
def work():
    while True:
        use()
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.3)
"""
    said = python(BEGIN + script, cwd=tmp_path)
    assert said.stderr == ""
    (run,) = recorded(tmp_path)
    assert run.finished
    assert counted_in(run)["checkouts"] > 0


def test_threads_that_end_after_the_main_thread_are_recorded_to_their_end(tmp_path: Path) -> None:
    script = """
threading.Thread(target=lambda: (time.sleep(1.3), use(3))).start()
use()
"""
    python(BEGIN + script, cwd=tmp_path)
    (run,) = recorded(tmp_path)
    assert counted_in(run)["checkouts"] == 4


class TestGevent:
    """Greenlets in a patched process."""

    PATCHED = "from gevent import monkey; monkey.patch_all()\nimport gevent\n"

    def test_greenlets_are_users_like_threads(self, tmp_path: Path) -> None:
        script = """
def work():
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        gevent.sleep(0.05)
gevent.joinall([gevent.spawn(work) for _ in range(6)], raise_error=True)
gevent.sleep(1.2)
"""
        said = python(self.PATCHED + BEGIN + script, cwd=tmp_path)
        assert said.stderr == ""
        (run,) = recorded(tmp_path)
        assert run.finished
        assert len(run.intervals) >= 2
        assert counted_in(run)["checkouts"] == 6
        assert max(one.gauges["waiting"].max for one in run.intervals) == 4

    def test_a_fork(self, tmp_path: Path) -> None:
        script = """
use(2)
engine.dispose()
child = os.fork()
use(3)
gevent.sleep(1.2)
use(3)
if child:
    os.waitpid(child, 0)
"""
        said = python(self.PATCHED + BEGIN + script, cwd=tmp_path)
        assert said.stderr == ""
        runs = recorded(tmp_path)
        assert sorted(counted_in(run)["checkouts"] for run in runs) == [6, 8]
        assert all(run.finished for run in runs)
        assert all(len(run.intervals) >= 2 for run in runs)


class TestFork:
    """A child begins a file of its own."""

    def test_parent_and_child_record_what_they_do_themselves(self, tmp_path: Path) -> None:
        script = """
use(2)
engine.dispose()
child = os.fork()
use(3 if child else 5)
if not child:
    sys.exit()
os.waitpid(child, 0)
print(child)
"""
        said = python(BEGIN + script, cwd=tmp_path)
        assert said.stderr == ""
        runs = {pid(run): run for run in recorded(tmp_path)}
        child = int(said.stdout.split()[-1])
        assert len(runs) == 2
        assert counted_in(runs.pop(child))["checkouts"] == 5
        (parent,) = runs.values()
        assert counted_in(parent)["checkouts"] == 5
        assert parent.finished

    def test_a_child_without_a_checkout_leaves_no_file(self, tmp_path: Path) -> None:
        script = """
use()
child = os.fork()
if not child:
    time.sleep(1.2)
    sys.exit()
os.waitpid(child, 0)
"""
        python(BEGIN + script, cwd=tmp_path)
        (run,) = recorded(tmp_path)
        assert counted_in(run)["checkouts"] == 1

    def test_children_of_multiprocessing_end_their_files(self, tmp_path: Path) -> None:
        script = """
import multiprocessing
context = multiprocessing.get_context("fork")
children = [context.Process(target=use, args=(4,)) for _ in range(2)]
for child in children: child.start()
for child in children: child.join()
"""
        python(BEGIN + script, cwd=tmp_path)
        runs = recorded(tmp_path)
        assert len(runs) == 3
        assert all(run.finished for run in runs)
        assert counted_in(*runs)["checkouts"] == 8

    @pytest.mark.parametrize("busy", ["waiting", "holding"])
    def test_a_fork_amid_the_work_of_other_threads(self, tmp_path: Path, busy: str) -> None:
        script = f"""
held = [engine.connect() for _ in range(2)] if {busy == "waiting"} else []
def work():
    while True:
        use()
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
for _ in range(4):
    child = os.fork()
    if not child:
        engine.dispose(close=False)
        use(3)
        sys.exit()
    _, status = os.waitpid(child, 0)
    assert status == 0
"""
        said = python(BEGIN + script, cwd=tmp_path, env={"PYTHONWARNINGS": "ignore"})
        assert "Traceback" not in said.stderr
        runs = recorded(tmp_path)
        assert len(runs) == 5
        assert sum(counted_in(run)["checkouts"] == 3 for run in runs) >= 4
        children = [run for run in runs if counted_in(run)["checkouts"] == 3]
        assert all(run.intervals[-1].gauges["waiting"].last == 0 for run in children)
        assert all(run.intervals[-1].gauges["in_use"].last == 0 for run in children)

    def test_a_fork_during_a_checkout(self, tmp_path: Path) -> None:
        script = """
from sqlalchemy import event
children = []
@event.listens_for(engine, "connect")
def fork(connection, record):
    children.append(os.fork())
use(2)
if children[0]:
    os.waitpid(children[0], 0)
"""
        said = python(BEGIN + script, cwd=tmp_path)
        assert said.stderr == ""
        runs = recorded(tmp_path)
        assert [counted_in(run)["checkouts"] for run in runs] == [2, 2]


class TestTrouble:
    """The application does not notice that its recorder has failed."""

    def test_a_full_disk(self, tmp_path: Path) -> None:
        script = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
for _ in range(4):
    use(10)
    time.sleep(0.8)
print("done")
"""
        (tmp_path / "shop.db").write_bytes(b"")
        said = python(BEGIN + script, cwd=tmp_path)
        assert said.stdout == "done\n"
        assert said.stderr.count("recording is switched off: cannot write the result file") == 1
        (run,) = recorded(tmp_path)
        assert not run.finished

    def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        folder = {"LOADTEST_RECORDING_FOLDER": str(tmp_path / "file" / "recordings")}
        said = python(BEGIN + "use(3); print('done')", cwd=tmp_path, env=folder)
        assert said.stdout == "done\n"
        assert said.stderr.count("recording is switched off") == 1

    def test_a_clock_that_is_set_back(self, tmp_path: Path) -> None:
        script = """
use(2)
time.sleep(1.2)
real, real_ns = time.time, time.time_ns
time.time = lambda: real() - 3600
time.time_ns = lambda: real_ns() - 3600 * 10**9
use(3)
time.sleep(2.2)
"""
        said = python(BEGIN + script, cwd=tmp_path)
        assert said.stderr == ""
        before, after = recorded(tmp_path)
        assert counted_in(before, after)["checkouts"] == 5
        assert before.finished
        assert max(one.counters["clock_step"] for one in before.intervals) > 3000 * 10**9
        for part in (before, after):
            seconds = [one.second for one in part.intervals]
            assert seconds == sorted(set(seconds))
        assert 3500 < before.intervals[-1].second - after.intervals[0].second < 3600
