"""The deadlines of the parts of a run, and where a process is that misses its deadline."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

import loadtest
from loadtest.experiment import bundled_scenarios
from loadtest.model.errors import LoadtestError
from loadtest.runfile.folders import as_typed

# Limit of the check of a scenario before all runs: import, options, an application's connection.
LOOK_SECONDS = 60.0
# Limit of a run until its load begins: import, checks, creating and filling tables.
START_SECONDS = 300.0
# The time a run may take after that, in addition to its planned time and its stop timeout.
MARGIN_SECONDS = 60.0
# The time a run has at its deadline to end cleanly.
STOP_SECONDS = 5.0
# Limits of each task in the trial before the load, and of all tasks together.
TASK_SECONDS, TRIAL_SECONDS = 10.0, 60.0
# Limit of the trial's process, which also creates and fills the tables.
TRIAL_LIMIT_SECONDS = START_SECONDS + TRIAL_SECONDS + 2 * TASK_SECONDS

OUTPUT_POLL_SECONDS = 0.25
# Asks a process where it is; a process without a handler ignores this signal.
_WHERE = signal.SIGURG
# The answer is complete after a silence. An idle event loop handles signals only every 0.3 s.
_TELLING_SECONDS, _QUIET_SECONDS = 3.0, 0.5
_STACK = "(most recent call first):\n"
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)
_STDLIB, _OURS = Path(sysconfig.get_path("stdlib")), Path(loadtest.__file__).parent
_INSTALLED = {"site-packages", "dist-packages"}

Frame = tuple[str, str, str]
"""A file, a line in it, and a function."""
Stack = Sequence[Frame]
"""Frames, the innermost first."""


def watched_command(module: str, *arguments: str) -> list[str]:
    """The command line of a Python module in a process that can report where it is."""
    return [
        sys.executable,
        "-u",  # a scenario's output stands in the log where it belongs, before a later error
        "-m",
        "loadtest.experiment.child_process",
        str(_WHERE.value),
        module,
        *arguments,
    ]


def watched_process(
    kept: subprocess.Popen[bytes],
    log: IO[bytes],
    seconds: float,
    late: Callable[[str], LoadtestError],
) -> Iterator[None]:
    """Yields repeatedly while a kept command runs.

    log: its standard error. late: makes the error to raise after these seconds, from a sentence
    about where the command is.
    """
    ends = time.monotonic() + seconds
    while kept.poll() is None:
        if time.monotonic() >= ends:
            raise late(stacks_of(kept, log))
        time.sleep(OUTPUT_POLL_SECONDS)
        yield


def stacks_of(kept: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """The sentence about where a kept command is; log: its standard error, for the stacks."""
    told = [_stacks(_told(process, log)) for process in _processes(kept)]
    # The main threads are more informative than the stacks that wait beside them.
    first, others = [own[:1] for own in told], [own[1:] for own in told]
    return blocked_line([stack for own in (*first, *others) for stack in own])


def blocked_line(stacks: Sequence[Stack]) -> str:
    """The sentence about where a process is: the first frame outside libraries."""
    for stack in stacks:
        for frame in stack:
            if not is_library(frame[0]):
                inside = "" if frame is stack[0] else f", which waited for {_named(stack[0])}"
                return f"the process was at {_named(frame)}{inside}"
    if stacks:
        return f"the process was outside the scenario's code, at {_named(stacks[0][0])}"
    return "the process did not report where it was"


def _processes(kept: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The process of a kept command and its forks, Locust's workers for example."""
    found = list[psutil.Process]()
    with suppress(psutil.Error):
        for process in psutil.Process(kept.pid).children(recursive=True):
            if not found or process.cmdline() == found[0].cmdline():
                found.append(process)
    return found


def _told(process: psutil.Process, log: IO[bytes]) -> str:
    """The stacks that a process writes on the signal; empty if it writes none."""
    begin = size = os.fstat(log.fileno()).st_size
    now = time.monotonic()
    ends, quiet_until = now + _TELLING_SECONDS, now + _TELLING_SECONDS
    with suppress(psutil.Error):
        process.send_signal(_WHERE)
    while (now := time.monotonic()) < min(ends, quiet_until):
        time.sleep(0.05)
        before, size = size, os.fstat(log.fileno()).st_size
        if size > before:
            quiet_until = now + _QUIET_SECONDS
    return os.pread(log.fileno(), size - begin, begin).decode(errors="replace")


def _stacks(told: str) -> list[list[Frame]]:
    return [frames for stack in told.split(_STACK) if (frames := _FRAME.findall(stack))]


def is_library(file: str) -> bool:
    """Whether a file belongs to Python, to an installed package or to this tool."""
    path = Path(file)
    bundled = (bundled_scenarios.scenarios_folder(), bundled_scenarios.examples_folder())
    if any(path.is_relative_to(folder) for folder in bundled):
        return False
    within = any(path.is_relative_to(folder) for folder in (_STDLIB, _OURS))
    return within or file.startswith("<") or not _INSTALLED.isdisjoint(path.parts)


def _named(frame: Frame) -> str:
    file, line, function = frame
    return f"{_short(Path(file))}:{line}, in {function}"


def _short(path: Path) -> str:
    """A short path: a library's file is relative to site-packages or the standard library."""
    folders = [one for one in path.parents if one.name in _INSTALLED or one == _STDLIB]
    return str(path.relative_to(folders[0])) if folders else as_typed(path)
