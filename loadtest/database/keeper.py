"""A small process that owns a child and its folder, and ends both when the tool is gone.

The tool holds the writing end of the keeper's standard input. However the tool dies, SIGKILL
included, the kernel closes that pipe: the keeper reads the end of the file, stops the child and
removes the folder. (A parent-death signal would not do: it is cleared when a process changes its
user.) The program part runs by path with the standard library alone, so that it starts quickly.
"""

import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

GRACE_SECONDS = 15.0
# Orders: end the child and keep the folder; start the command again.
DOWN, UP = b"-", b"+"


def keep(
    command: Sequence[str],
    *,
    remove: Path | None = None,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command under a keeper; close its `stdin` to stop it, `wait()` for the exit code.

    remove: a folder to delete when the command has ended. user: the system user that runs it.
    """
    arguments = [sys.executable, "-I", "-S", __file__, str(remove or ""), user or "", *command]
    return subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        env=environment,
        # In a session of its own: Ctrl-C is for the tool, which then stops the child in order.
        start_new_session=True,
    )


def order(kept: subprocess.Popen[bytes], what: bytes) -> None:
    """Give the keeper of a command an order, DOWN or UP; it is carried out meanwhile."""
    assert kept.stdin
    os.write(kept.stdin.fileno(), what)


def stop(kept: subprocess.Popen[bytes]) -> int:
    """Stop a kept command in good order and return its exit code."""
    if kept.stdin:
        kept.stdin.close()
    return kept.wait()


def _main(remove: str, user: str, *command: str) -> int:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        child = _start(command, user)
        while told := _wait(reading, child):
            if told == DOWN:
                code = _end(child)
                if _wait(reading) != UP:
                    return code
                child = _start(command, user)
        return _end(child)
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
    )


def _wait(signals: int, child: subprocess.Popen[bytes] | None = None) -> bytes:
    """The next order; none if the child has ended, or the tool or a signal wants the end."""
    orders = sys.stdin.fileno()
    while child is None or child.poll() is None:
        readable, _, _ = select.select([orders, signals], [], [])
        # SIGCHLD also tells of a child that was stopped and goes on.
        if signals in readable and os.read(signals, 64).strip(bytes([signal.SIGCHLD])):
            return b""
        if orders in readable:
            return os.read(orders, 1)
    return b""


def _end(child: subprocess.Popen[bytes]) -> int:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
    code = child.wait()
    try:
        os.killpg(child.pid, signal.SIGKILL)  # what the child has left behind
    except ProcessLookupError:
        return code if code >= 0 else 128 - code
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
