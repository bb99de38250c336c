"""Reads back how many processes of an application serve requests, if a number was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

from loadtest.analysis.units import plural
from loadtest.experiment.driving.readiness import wait_until_ready
from loadtest.experiment.driving.told_engines import ToldEngines
from loadtest.model.driven_application import PROCESSES, DrivenApplication
from loadtest.model.errors import RefusedRun

# The first process that answers makes the application ready; the others may still import. A server
# replaces a worker within this time, too.
PROCESSES_SECONDS = 10.0
_POLL_SECONDS = 0.1


def serving_processes(processes: Iterable[int]) -> set[int]:
    """Those of some processes that run, without parents of others.

    A server that loads the application before it forks has an engine itself, but serves nothing.
    """
    parents = dict[int, int]()
    for pid in processes:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                parents[pid] = process.ppid()
    return parents.keys() - parents.values()


def wait_for_processes(
    application: DrivenApplication, engines: ToldEngines, check: Callable[[], None]
) -> None:
    """Wait until as many processes as were asked for have an engine; raises RefusedRun.

    Meanwhile `ready` is asked again and again: it may make the engines. If no process has one,
    requests make it, and only `check_processes` can tell. check: called repeatedly.
    """

    def ask() -> None:
        check()
        wait_until_ready(application, check)

    _wait(application, engines, ask)


def check_processes(
    application: DrivenApplication, engines: ToldEngines, check: Callable[[], None]
) -> None:
    """The same after the load, without requests."""
    _wait(application, engines, check)


def _wait(
    application: DrivenApplication, engines: ToldEngines, meanwhile: Callable[[], object]
) -> None:
    asked = application.most_processes
    deadline = time.monotonic() + PROCESSES_SECONDS
    while asked is not None and engines.processes:
        found = len(serving_processes(engines.processes))
        if found == asked:
            return
        if time.monotonic() >= deadline:
            raise RefusedRun(_other_number(asked, found))
        meanwhile()
        time.sleep(_POLL_SECONDS)


def _other_number(asked: int, found: int) -> str:
    """The sentence about another number of processes than the one that was asked for."""
    why = (
        "a process counts as soon as it has made its engine: make it when the process starts, not "
        "in a request"
        if found < asked
        else "every process that makes an engine counts, also one that serves no requests"
    )
    requested = plural(asked, "process", "processes")
    return (
        f"requested {requested} (--app-processes), but {found} with an engine "
        f"{'runs' if found == 1 else 'run'} after {PROCESSES_SECONDS:g} s; {why}; or correct the "
        f"place of {PROCESSES} in the command"
    )
