"""A kept command ends with its keeper, and the keeper with the tool, however either dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from loadtest.database import supervisor

PYTHON = [sys.executable, "-S", "-c"]
FAR_BEYOND_NOISE = 60.0


def gone(pid: int) -> bool:
    """Whether a process has ended; it may still be a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def eventually(true) -> bool:
    """Whether something becomes true before anybody would stop waiting."""
    deadline = time.monotonic() + FAR_BEYOND_NOISE
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(true())


def written(path: Path) -> str:
    """What a kept command has written to a file, as soon as it is all there."""
    assert eventually(lambda: path.exists() and path.read_text().endswith("\n"))
    return path.read_text().strip()


@pytest.fixture
def keep():
    """Keeps commands, and ends what a failed test leaves."""
    kept = []

    def start(*command, **options) -> subprocess.Popen:
        kept.append(supervisor.start_supervised(command, **options))
        return kept[-1]

    yield start
    for process in kept:
        supervisor.stop_supervised(process)


def child_of(kept: subprocess.Popen) -> psutil.Process:
    """The `sleep` that a keeper has started; before, the child is a copy of the keeper."""
    children = psutil.Process(kept.pid).children
    assert eventually(lambda: [one.name() for one in children() if not gone(one.pid)] == ["sleep"])
    return next(one for one in children() if not gone(one.pid))


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_code_is_passed_on(keep, code):
    assert keep(*PYTHON, f"raise SystemExit({code})").wait(FAR_BEYOND_NOISE) == code


def test_a_child_that_was_killed_ends_as_in_a_shell(keep):
    command = "import os; os.kill(os.getpid(), 9)"
    assert keep(*PYTHON, command).wait(FAR_BEYOND_NOISE) == 128 + signal.SIGKILL


def test_stopping_ends_the_child_in_good_order(keep):
    kept = keep("sleep", "1000")
    child = child_of(kept)
    assert supervisor.stop_supervised(kept) == 128 + signal.SIGTERM
    assert gone(child.pid)


def test_stopping_twice_does_no_harm(keep):
    kept = keep("sleep", "1000")
    assert supervisor.stop_supervised(kept) == supervisor.stop_supervised(kept)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_keeper_ends_the_child(keep, number, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    kept = keep("sleep", "1000", remove=folder)
    child = child_of(kept)
    kept.send_signal(number)
    assert kept.wait(FAR_BEYOND_NOISE) == 128 + signal.SIGTERM
    assert gone(child.pid)
    assert not folder.exists()


def test_a_child_may_be_stopped_and_go_on(keep):
    kept = keep("sleep", "1000")
    child = child_of(kept)
    for number in (signal.SIGSTOP, signal.SIGCONT):
        child.send_signal(number)
        time.sleep(0.2)
    assert kept.poll() is None
    assert not gone(child.pid)


def test_a_child_that_ignores_the_signal_is_killed_after_its_grace(keep, tmp_path):
    stubborn = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"print(os.getpid(), file=open({str(tmp_path / 'pid')!r}, 'w'), flush=True)\n"
        "time.sleep(1000)"
    )
    kept = keep(*PYTHON, stubborn, grace=0.2)
    pid = int(written(tmp_path / "pid"))
    assert supervisor.stop_supervised(kept) == 128 + signal.SIGKILL
    assert gone(pid)


def test_a_child_has_its_working_directory(keep, tmp_path):
    where = "import os; print(os.getcwd(), file=open('here', 'w'), flush=True)"
    keep(*PYTHON, where, folder=tmp_path)
    assert Path(written(tmp_path / "here")) == tmp_path


def test_a_child_that_ignores_the_signal_is_killed_sooner_by_who_has_less_patience(keep, tmp_path):
    stubborn = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"print(os.getpid(), file=open({str(tmp_path / 'pid')!r}, 'w'), flush=True)\n"
        "time.sleep(1000)"
    )
    kept = keep(*PYTHON, stubborn)
    pid = int(written(tmp_path / "pid"))
    assert supervisor.stop_supervised(kept, 0.1) == 128 + signal.SIGKILL
    assert gone(pid)


def test_children_of_the_child_are_gone_too(keep, tmp_path):
    family = (
        "import subprocess, time\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        f"print(child.pid, file=open({str(tmp_path / 'pid')!r}, 'w'), flush=True)\n"
        "time.sleep(1000)"
    )
    kept = keep(*PYTHON, family)
    grandchild = int(written(tmp_path / "pid"))
    supervisor.stop_supervised(kept)
    assert eventually(lambda: gone(grandchild))


def test_what_an_ended_child_leaves_running_is_ended(keep, tmp_path):
    family = (
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        f"print(child.pid, file=open({str(tmp_path / 'pid')!r}, 'w'), flush=True)\n"
    )
    assert keep(*PYTHON, family).wait(FAR_BEYOND_NOISE) == 0
    assert eventually(lambda: gone(int(written(tmp_path / "pid"))))


DAEMONS = """
import os, sys, time
if not os.fork():
    os.setsid()
    if not os.fork():
        children = [os.fork() for _ in range(2)]
        if all(children):
            print(os.getpid(), *children, file=open("pids", "w"), flush=True)
        time.sleep(1000)
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("after", ["", "time.sleep(1000)"], ids=["ended", "running"])
def test_daemons_of_the_child_are_ended_with_it(keep, tmp_path, after):
    kept = keep(*PYTHON, DAEMONS + after, folder=tmp_path)
    daemons = [int(one) for one in written(tmp_path / "pids").split()]
    assert not any(map(gone, daemons)) or not after
    supervisor.stop_supervised(kept)
    assert len(daemons) == 3
    assert all(map(gone, daemons))


def test_orphans_that_have_ended_do_not_stay_zombies(keep, tmp_path):
    orphans = """
import os, time
for _ in range(5):
    if not os.fork():
        os.fork()
        os._exit(0)
    os.wait()
print("all", file=open("done", "w"), flush=True)
time.sleep(1000)
"""
    kept = keep(*PYTHON, orphans, folder=tmp_path)
    assert written(tmp_path / "done") == "all"
    assert eventually(lambda: len(psutil.Process(kept.pid).children()) == 1)


def test_a_command_that_is_held_begins_on_order(keep, tmp_path):
    begun = tmp_path / "begun"
    kept = keep("touch", begun, held=True)
    assert kept.poll() is None
    supervisor.send_order(kept, supervisor.UP)
    assert kept.wait(FAR_BEYOND_NOISE) == 0
    assert begun.exists()


def test_a_command_that_is_held_does_not_begin_without_the_tool(keep, tmp_path):
    begun, folder = tmp_path / "begun", tmp_path / "folder"
    kept = keep("touch", begun, held=True, remove=folder)
    folder.mkdir()
    supervisor.stop_supervised(kept)
    assert not begun.exists()
    assert not folder.exists()


def test_the_folder_goes_with_the_child(keep, tmp_path):
    folder = tmp_path / "folder"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "file").touch()
    kept = keep(*PYTHON, "pass", remove=folder)
    kept.wait(FAR_BEYOND_NOISE)
    assert not folder.exists()


def test_the_folder_goes_even_if_the_command_cannot_be_started(keep, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    kept = keep("/no/such/program", remove=folder, output=subprocess.DEVNULL)
    assert kept.wait(FAR_BEYOND_NOISE) != 0
    assert not folder.exists()


def test_output_and_environment_are_the_childs(keep, tmp_path):
    command = "import os, sys; print(os.environ['WHO']); print('oops', file=sys.stderr)"
    with (tmp_path / "out").open("wb") as output:
        keep(*PYTHON, command, environment={"WHO": "me"}, output=output).wait(FAR_BEYOND_NOISE)
    assert sorted((tmp_path / "out").read_text().split()) == ["me", "oops"]


def test_errors_can_go_to_another_place_than_output(keep, tmp_path):
    command = "import sys; print('well'); print('oops', file=sys.stderr)"
    with (tmp_path / "out").open("wb") as output, (tmp_path / "errors").open("wb") as errors:
        keep(*PYTHON, command, output=output, errors=errors).wait(FAR_BEYOND_NOISE)
    assert (tmp_path / "out").read_text() == "well\n"
    assert (tmp_path / "errors").read_text() == "oops\n"


def test_an_interrupt_at_the_terminal_is_not_for_the_child(keep):
    kept = keep("sleep", "1000")
    child = child_of(kept)
    ours = os.getpgrp()
    assert ours not in (os.getpgid(kept.pid), os.getpgid(child.pid))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the user")
def test_the_child_runs_as_the_user_it_is_told(keep):
    kept = keep("sleep", "1000", user="nobody")
    child = child_of(kept)
    assert child.username() == "nobody"
    assert 0 not in child.uids()
    assert 0 not in child.gids()


def test_a_tool_that_is_killed_takes_its_child_with_it(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    tool = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from loadtest.database import supervisor\n"
            "kept = supervisor.start_supervised(['sleep', '1000'], remove=Path(sys.argv[1]))\n"
            "print(kept.pid, flush=True); time.sleep(1000)",
            str(folder),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with tool:
        kept = psutil.Process(int(tool.stdout.readline()))
        assert eventually(kept.children)
        (child,) = kept.children()
        tool.kill()
    assert eventually(lambda: gone(child.pid))
    assert eventually(lambda: gone(kept.pid))
    assert not folder.exists()


def test_a_child_is_ended_and_started_again_on_order(keep, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    kept = keep("sleep", "1000", remove=folder)
    first = child_of(kept)
    supervisor.send_order(kept, supervisor.UP)  # it is up
    supervisor.send_order(kept, supervisor.DOWN)
    assert eventually(lambda: gone(first.pid))
    assert kept.poll() is None
    assert folder.exists()
    supervisor.send_order(kept, supervisor.UP)
    assert child_of(kept).pid != first.pid
    supervisor.stop_supervised(kept)
    assert not folder.exists()


def test_a_keeper_whose_child_is_down_ends_with_the_tool(keep, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    kept = keep("sleep", "1000", remove=folder)
    child = child_of(kept)
    supervisor.send_order(kept, supervisor.DOWN)
    assert eventually(lambda: gone(child.pid))
    assert supervisor.stop_supervised(kept) == 128 + signal.SIGTERM
    assert not folder.exists()
