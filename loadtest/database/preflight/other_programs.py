"""The processor time of other programs on this machine during a run."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Mapping
from itertools import takewhile
from typing import Any, NamedTuple

import psutil

from loadtest.database.server_status import SERVER_PROCESSES

LEAST_SHARE = 0.01
MOST_PROGRAMS = 5

Key = tuple[int, float]
"""A process: its number and its time of creation, because numbers are used again."""


class ProcessUse(NamedTuple):
    """A process: name, number of its parent, and processor time (s) with its ended children."""

    name: str
    parent: int
    seconds: float


class OtherPrograms:
    """Compares all processes at the beginning and at the end of a run.

    All processes are read only twice, before and after the load, because reading them blocks the
    event loop for some milliseconds. A process that ended before counts for its parent.
    """

    def __init__(self) -> None:
        self._began, self._before = time.monotonic(), _used()

    def shares(self) -> list[dict[str, Any]]:
        """The busiest programs since the beginning: name, and share of all processors.

        Without this run's own processes and without database servers.
        """
        spent, now = defaultdict[str, float](float), _used()
        # A look takes up to 0.2 s on a busy machine. The time of both counts, so that no program
        # was counted for longer.
        whole = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        own = _own(now)
        earlier = self._earlier(now)
        for key, use in now.items():
            if key[0] not in own and use.name not in SERVER_PROCESSES:
                spent[use.name] += max(0.0, use.seconds - earlier[key[0]])
        shares = {name: min(seconds / whole, 1.0) for name, seconds in spent.items()}
        busiest = sorted(shares, key=lambda name: -shares[name])[:MOST_PROGRAMS]
        return [
            {"name": name, "share": round(shares[name], 3)}
            for name in busiest
            if shares[name] >= LEAST_SHARE
        ]

    def _earlier(self, now: dict[Key, ProcessUse]) -> dict[int, float]:
        """The time from before the run in the total of each process that lives now, by number.

        The total of a parent has all the time of its ended children, also the time before the run.
        """
        alive = {pid for pid, _ in now}
        parents = {pid: use.parent for (pid, _), use in self._before.items()}
        earlier = defaultdict[int, float](float)
        for key, use in self._before.items():
            owner = key[0] if key in now else use.parent
            while owner not in alive and owner in parents:
                owner = parents[owner]
            earlier[owner] += use.seconds
        return earlier


def _used() -> dict[Key, ProcessUse]:
    """All processes that can be seen."""
    found = psutil.process_iter(["name", "ppid", "create_time", "cpu_times"])
    return {
        (one.pid, one.info["create_time"]): ProcessUse(
            one.info["name"].encode(errors="replace").decode(),
            one.info["ppid"],
            sum(one.info["cpu_times"][:4]),
        )
        for one in found
        if one.info["name"] and one.info["cpu_times"]
    }


def _own(now: Mapping[Key, ProcessUse]) -> set[int]:
    """This process, all processes that led to it, and everything that this command started."""
    parents = {pid: use.parent for (pid, _), use in now.items()}
    me = os.getpid()
    led_here = _above(me, parents)
    root = [me, *takewhile(_is_command, led_here)][-1]
    started = (pid for pid in parents if root in _above(pid, parents))
    return {me, *led_here, *started}


def _above(pid: int, parents: Mapping[int, int]) -> list[int]:
    """The parent of a process, the parent of that, and so on, as far as they can be seen."""
    found: list[int] = []
    while (pid := parents.get(pid, 0)) in parents and pid not in found:
        found.append(pid)
    return found


def _is_command(pid: int) -> bool:
    """Whether a process belongs to a command of this tool."""
    try:
        return any("loadtest" in word for word in psutil.Process(pid).cmdline())
    except psutil.Error:  # it has ended, or belongs to another user
        return False
