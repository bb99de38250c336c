"""The processor time of other programs on this machine during a run."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from itertools import takewhile
from typing import Any

import psutil

from loadtest.database.server_status import SERVER_PROCESSES

LEAST_SHARE = 0.01
MOST_PROGRAMS = 5


class OtherPrograms:
    """Compares all processes at the beginning and at the end of a run.

    It looks twice only, before and after the load, because a look at all processes takes some
    milliseconds of the event loop. A process that ended before counts for its parent.
    """

    def __init__(self) -> None:
        self._before, self._began = _used(), time.monotonic()

    def shares(self) -> list[dict[str, Any]]:
        """The busiest programs since the beginning: name, and share of all processors.

        Without this run's own processes and without database servers.
        """
        whole = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        own, spent = _own(), defaultdict[str, float](float)
        for (pid, name, created), seconds in _used().items():
            if pid not in own and name not in SERVER_PROCESSES:
                spent[name] += seconds - self._before.get((pid, name, created), 0.0)
        shares = {name: min(seconds / whole, 1.0) for name, seconds in spent.items()}
        busiest = sorted(shares, key=lambda name: -shares[name])[:MOST_PROGRAMS]
        return [
            {"name": name, "share": round(shares[name], 3)}
            for name in busiest
            if shares[name] >= LEAST_SHARE
        ]


def _used() -> dict[tuple[int, str, float], float]:
    """The processor time (s) of each process and of its ended children.

    By process number, name and time of creation, because numbers are used again.
    """
    found = [
        (one.pid, one.info["name"], one.info["create_time"], one.info["cpu_times"])
        for one in psutil.process_iter(["name", "create_time", "cpu_times"])
    ]
    return {
        (pid, name.encode(errors="replace").decode(), created): sum(times[:4])
        for pid, name, created, times in found
        if name and times
    }


def _own() -> set[int]:
    """This process, all processes that led to it, and everything that this command started."""
    me = psutil.Process()
    parents = me.parents()
    root = [me, *takewhile(_is_command, parents)][-1]
    return {one.pid for one in (me, *parents, *root.children(recursive=True))}


def _is_command(process: psutil.Process) -> bool:
    """Whether a process belongs to a command of this tool."""
    try:
        return any("loadtest" in word for word in process.cmdline())
    except psutil.Error:
        return False
