"""A small process that owns a child and its folder, and ends both when the tool is gone.

The tool holds the writing end of the keeper's standard input. However the tool dies, SIGKILL
included, the kernel closes that pipe: the keeper reads the end of the file, stops the child and
removes the folder. Who kills the keeper kills the child: on Linux by the child's parent-death
signal. (That would not do for the tool: it goes to one child, and nobody removes the folder.) The
program part runs by path with the standard library alone, so that it starts quickly.
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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

GRACE_SECONDS = 15.0
# Orders: end the child and keep the folder; start the command again.
DOWN, UP = b"-", b"+"
_SET_PARENT_DEATH_SIGNAL = 1
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


def start_supervised(
    command: Sequence[str],
    *,
    remove: Path | None = None,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    errors: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command under a keeper; close its `stdin` to stop it, `wait()` for the exit code.

    remove: a folder to delete when the command has ended. user: the system user that runs it.
    errors: where its standard error goes, if that is not the place of its output.
    """
    arguments = [sys.executable, "-I", "-S", __file__, str(remove or ""), user or "", *command]
    return subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output if errors is None else errors,
        env=environment,
        # In a session of its own: Ctrl-C is for the tool, which then stops the child in order.
        start_new_session=True,
    )


def send_order(kept: subprocess.Popen[bytes], what: bytes) -> None:
    """Give the keeper of a command an order, DOWN or UP; it is carried out meanwhile."""
    assert kept.stdin
    os.write(kept.stdin.fileno(), what)


def stop_supervised(kept: subprocess.Popen[bytes], patience: float | None = None) -> int:
    """Stop a kept command in good order and return its exit code; at once on Ctrl-C meanwhile.

    patience: the seconds after which it is killed, if GRACE_SECONDS are too many.
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


def _main(remove: str, user: str, *command: str) -> int:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        child = _start(command, user)
        while told := _wait(reading, child):
            if told == DOWN:
                code = _end(child, reading)
                if _wait(reading) != UP:
                    return code
                child = _start(command, user)
        return _end(child, reading)
    finally:
        if remove:
            shutil.rmtree(remove, ignore_errors=True)


def _start(command: Sequence[str], user: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        user=user or None,
        # Its own group, which need not have its name: nobody's is nogroup on Debian.
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - the keeper has no threads
    )


def _wait(signals: int, child: subprocess.Popen[bytes] | None = None) -> bytes:
    """The next order; none if the child has ended, or the tool or a signal wants the end."""
    orders = sys.stdin.fileno()
    while child is None or child.poll() is None:
        readable, _, _ = select.select([orders, signals], [], [])
        if _told(signals):
            return b""
        if orders in readable:
            return os.read(orders, 1)
    return b""


def die_with_parent() -> None:
    """Let the kernel (Linux's) kill this process when its parent dies: for `preexec_fn`."""
    parent = os.getppid()
    if _prctl:
        _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it was quicker
            os._exit(1)


def _end(child: subprocess.Popen[bytes], signals: int) -> int:
    if child.poll() is None:
        child.terminate()
        if not _ends_in_time(child, signals):
            os.killpg(child.pid, signal.SIGKILL)
    code = child.wait()
    try:
        os.killpg(child.pid, signal.SIGKILL)  # what the child has left behind
    except ProcessLookupError:
        return code if code >= 0 else 128 - code
    return code if code >= 0 else 128 - code


def _ends_in_time(child: subprocess.Popen[bytes], signals: int) -> bool:
    """Whether a child ends before its time is up and before anybody asks a second time."""
    deadline = time.monotonic() + GRACE_SECONDS
    while child.poll() is None:
        select.select([signals], [], [], max(0.0, deadline - time.monotonic()))
        again = _told(signals)
        if again or time.monotonic() >= deadline:
            return child.poll() is not None
    return True


def _told(signals: int) -> bool:
    """Whether signals came that want the child to end."""
    try:
        # SIGCHLD also tells of a child that was stopped and goes on.
        return bool(os.read(signals, 64).strip(bytes([signal.SIGCHLD])))
    except BlockingIOError:
        return False


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
