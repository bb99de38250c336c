"""Reads back how many processes of an application serve requests, if a number was asked for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

from loadtest.analysis.findings.incomplete_runs import LEAST_MEASURED, MISSING_SECONDS
from loadtest.analysis.units import plural
from loadtest.experiment.driving.readiness import wait_until_ready
from loadtest.experiment.driving.told_engines import ToldEngines
from loadtest.model.driven_application import PROCESSES, DrivenApplication
from loadtest.model.errors import RefusedRun

# The first process that answers makes the application ready; the others may still import.
PROCESSES_SECONDS = 10.0
_POLL_SECONDS = 0.1
_UNTIL_ITS_ENGINE = (
    "a process counts as soon as it has made its engine: make it when the process starts, not in a "
    "request"
)
_ENDED = (
    "a process that ends (max_requests, a crash) is missing until its successor has made its engine"
)


def is_running(pid: int) -> bool:
    """Whether a process has not ended; its parent may not have noticed yet."""
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def serving_processes(processes: Iterable[int]) -> set[int]:
    """Those of some processes that run, without parents of others.

    A server that loads the application before it forks has an engine itself, but serves nothing.
    """
    parents = dict[int, int]()
    for pid in filter(is_running, processes):
        with suppress(psutil.NoSuchProcess):
            parents[pid] = psutil.Process(pid).ppid()
    return parents.keys() - parents.values()


def wait_for_processes(
    application: DrivenApplication, engines: ToldEngines, check: Callable[[], None]
) -> None:
    """Wait until as many processes as were asked for have an engine; raises RefusedRun.

    Meanwhile `ready` is asked again and again: it may make the engines. If no process has one,
    requests make it, and only the load can tell. check: called repeatedly.
    """
    asked = application.most_processes
    deadline = time.monotonic() + PROCESSES_SECONDS
    while asked is not None and engines.processes:
        found = len(serving_processes(engines.processes))
        if found == asked:
            return
        if time.monotonic() >= deadline:
            runs = "runs" if found == 1 else "run"
            when = f"{runs} after {PROCESSES_SECONDS:g} s"
            raise RefusedRun(_other_number(asked, found, when, _UNTIL_ITS_ENGINE))
        check()
        wait_until_ready(application, check)
        time.sleep(_POLL_SECONDS)


class ProcessesUnderLoad:
    """The number of processes in each measured second, beside the one that was asked for, if any.

    A server replaces a worker that ends, so the number may be another one for a moment.
    """

    def __init__(self, asked: int | None) -> None:
        self._asked = asked
        self._found = dict[int, int]()

    def count(self, second: int, processes: Iterable[int]) -> None:
        """Count those of some processes that serve at the end of a second."""
        if self._asked is not None:
            self._found[second] = len(serving_processes(processes))

    def check(self) -> None:
        """Raise RefusedRun if the number was another one for a notable part of the time."""
        others = Counter(found for found in self._found.values() if found != self._asked)
        seconds, wrong = len(self._found), others.total()
        right, enough = seconds - wrong, min(LEAST_MEASURED * seconds, seconds - MISSING_SECONDS)
        if self._asked is None or not wrong or (right and right >= enough):
            return
        ((usual, _),) = others.most_common(1)
        when = f"ran in {wrong} of {plural(seconds, 'measured second')}"
        raise RefusedRun(_other_number(self._asked, usual, when, _ENDED))


def _other_number(asked: int, found: int, when: str, fewer: str) -> str:
    """The sentence about another number of processes than the one that was asked for.

    fewer: why there may be fewer.
    """
    more = "every process that makes an engine counts, also one that serves no requests"
    why = fewer if found < asked else more
    requested = plural(asked, "process", "processes")
    return (
        f"requested {requested} (--app-processes), but {found} with an engine {when}; {why}; or "
        f"correct the place of {PROCESSES} in the command"
    )
