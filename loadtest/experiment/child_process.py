"""Runs a Python module as a child of the tool: `python -m … SIGNAL MODULE ARGUMENTS`.

Locust's settings in the environment and in configuration files do not reach the child. On the given
signal the child writes its stacks to standard error, the innermost frame of each first: the main
thread's at once, even if the event loop is blocked in C; then, as soon as Python runs, those of
greenlets and threads. Forks of the process do the same. A run gets its settings in the environment,
as LOADTEST_RUN, instead of in its arguments.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from loadtest.model.garbage import rare_collections

_STANDARD_ERROR = 2
_MAIN = "__main__"
# Locust reads it when it is imported. Only --model decides whether gevent patches a run.
_UNPATCHED = "LOCUST_SKIP_MONKEY_PATCH"


def _frames() -> Iterator[FrameType | None]:
    """The frames of the greenlets, the main one first, and of the threads."""
    if package := sys.modules.get("greenlet"):
        main: Any = package.getcurrent()
        while main.parent:
            main = main.parent
        found = (one for one in gc.get_objects() if issubclass(type(one), package.greenlet))
        yield from (one.gr_frame for one in (main, *found))
    yield from sys._current_frames().values()


def _stack(frame: FrameType) -> str:
    """A stack in faulthandler's format."""
    lines = (
        f'  File "{one.f_code.co_filename}", line {line} in {one.f_code.co_name}\n'
        for one, line in traceback.walk_stack(frame)
    )
    return "Stack (most recent call first):\n" + "".join(lines)


def _tell(*_: Any) -> None:
    stacks = dict.fromkeys(_stack(frame) for frame in _frames() if frame)  # each stack once
    os.write(_STANDARD_ERROR, "".join(stacks).encode(errors="replace"))


def _shut_out(words: Sequence[str]) -> None:
    before = os.environ.pop(_UNPATCHED, "")
    if "loadtest.threads" in words:  # the module, or an argument of the trial
        os.environ[_UNPATCHED] = "1"
    from loadtest.experiment.locust_settings import shut_out

    shut_out({_UNPATCHED: before})


def _run_arguments() -> list[str]:
    """Locust's arguments from the environment, if this is the process of a run."""
    from loadtest.experiment.run_plan import RunSettings

    settings = RunSettings.taken()
    return settings.arguments() if settings else []


if __name__ == _MAIN:
    asked = int(sys.argv[1])
    signal.signal(asked, _tell)
    faulthandler.register(asked, _STANDARD_ERROR, all_threads=False, chain=True)
    del sys.argv[:2]
    with rare_collections():
        _shut_out(sys.argv)
        sys.argv += _run_arguments()
    runpy.run_module(sys.argv[0], run_name=_MAIN, alter_sys=True)
