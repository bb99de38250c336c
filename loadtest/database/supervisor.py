"""A small process, the keeper, that owns a child and its folder and ends both with the tool.

The tool holds the writing end of the keeper's standard input. If the tool dies in any way, even by
SIGKILL, the kernel closes this pipe: the keeper reads the end of the file, stops the child and
removes the folder. If the keeper is killed, the child's parent-death signal kills the child (on
Linux). For the tool this signal is not enough, because it would not remove the folder. Processes
that leave the child's session, such as daemons, become children of the keeper (on Linux), which
kills them after the child. The keeper runs by path with the standard library alone, so that it
starts quickly.
"""

import ctypes
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

GRACE_SECONDS = 15.0
# Orders to the keeper: end the child but keep the folder; start the command, perhaps again.
DOWN, UP = b"-", b"+"
_HELD = "held"
_SET_PARENT_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


def start_supervised(
    command: Sequence[str],
    *,
    remove: Path | None = None,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    errors: IO[bytes] | int | None = None,
    folder: Path | None = None,
    grace: float = GRACE_SECONDS,
    held: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a command under a keeper; close its `stdin` to stop it, `wait()` for the exit code.

    remove: a folder to delete when the command has ended. user: the system user that runs it.
    errors: the target of its standard error, if it differs from `output`. folder: its working
    directory. grace: the seconds that it has to end before it is killed. held: whether the command
    waits for the order UP.
    """
    told = [str(remove or ""), user or "", f"{grace:g}", _HELD if held else ""]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, *told, *command],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output if errors is None else errors,
        env=environment,
        # Its own session, so that Ctrl-C reaches only the tool, which stops the child cleanly.
        start_new_session=True,
    )


def send_order(kept: subprocess.Popen[bytes], what: bytes) -> None:
    """Send a keeper the order DOWN or UP; does not wait until it is carried out."""
    assert kept.stdin
    os.write(kept.stdin.fileno(), what)


def stop_supervised(kept: subprocess.Popen[bytes], patience: float | None = None) -> int:
    """Stop a kept command cleanly and return its exit code; Ctrl-C stops it at once.

    patience: the seconds after which it is killed, if less than its grace.
    """
    if kept.stdin:
        kept.stdin.close()
    try:
        return kept.wait(patience)
    except subprocess.TimeoutExpired:
        kept.terminate()
        return kept.wait()
    except KeyboardInterrupt:
        kept.terminate()
        kept.wait()
        raise


def _main(remove: str, user: str, grace: str, held: str, *command: str) -> int:
    if _prctl:
        _prctl(_SET_CHILD_SUBREAPER, 1)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        if held and _wait(reading) != UP:
            return 0
        child = _start(command, user)
        while told := _wait(reading, child):
            if told == DOWN:
                code = _end(child, reading, float(grace))
                if _wait(reading) != UP:
                    return code
                child = _start(command, user)
        return _end(child, reading, float(grace))
    finally:
        if remove:
            shutil.rmtree(remove, ignore_errors=True)


def _start(command: Sequence[str], user: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        user=user or None,
        # The user's primary group may have another name: for `nobody` it is `nogroup` on Debian.
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - the keeper has no threads
    )


def _wait(signals: int, child: subprocess.Popen[bytes] | None = None) -> bytes:
    """The next order; empty if the child has ended, or the tool or a signal asks to stop."""
    orders = sys.stdin.fileno()
    while child is None or not _has_ended(child):
        readable, _, _ = select.select([orders, signals], [], [])
        if _told(signals):
            return b""
        if orders in readable:
            return os.read(orders, 1)
    return b""


def die_with_parent() -> None:
    """Make the Linux kernel kill this process when its parent dies; for `preexec_fn`."""
    parent = os.getppid()
    if _prctl:
        _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the call
            os._exit(1)


def _end(child: subprocess.Popen[bytes], signals: int, grace: float) -> int:
    if not _has_ended(child):
        child.terminate()
        if not _ends_in_time(child, signals, grace):
            os.killpg(child.pid, signal.SIGKILL)
    code = child.wait()
    _kill_rest(child.pid)
    return code if code >= 0 else 128 - code


def _kill_rest(group: int) -> None:
    """Kill what the child has left behind, also outside of its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    # The children of a killed process become the keeper's.
    while killed := [process for process in _children() if _kill(process)]:
        for process in killed:
            os.waitpid(process, 0)


def _children() -> Iterator[int]:
    """The children of this process, also those that have ended."""
    parent = str(os.getpid())
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it may end meanwhile
            # A program's name, in parentheses, may have any character.
            if stat.read_text(errors="replace").rpartition(")")[2].split()[1] == parent:
                yield int(stat.parent.name)


def _kill(process: int) -> bool:
    """Kill a child; False if it belongs to another user."""
    try:
        os.kill(process, signal.SIGKILL)
    except PermissionError:
        return False
    return True


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether a child has ended; also takes the exit codes of other children."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child.pid:
                child.returncode = os.waitstatus_to_exitcode(ended[1])
    return child.returncode is not None


def _ends_in_time(child: subprocess.Popen[bytes], signals: int, grace: float) -> bool:
    """Whether a child ends within the grace and before a second request to stop."""
    deadline = time.monotonic() + grace
    while not _has_ended(child):
        select.select([signals], [], [], max(0.0, deadline - time.monotonic()))
        again = _told(signals)
        if again or time.monotonic() >= deadline:
            return _has_ended(child)
    return True


def _told(signals: int) -> bool:
    """Whether a signal asked to end the child."""
    try:
        # SIGCHLD also arrives if a child was stopped or continues.
        return bool(os.read(signals, 64).strip(bytes([signal.SIGCHLD])))
    except BlockingIOError:
        return False


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
