"""The points of an ended run, second by second, as the live page showed them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from loadtest.live.second import LiveSecond, Point
from loadtest.model.interval import SERVER
from loadtest.runfile.reader import RunFile
from loadtest.runfile.shared_interpreter import let_others_run

# Charts of longer runs end here (s).
MOST_SECONDS = 3600
# The values of the processes that have the pools: the application's, if the run drove one.
_OF_POOLS = (
    *("limit", "in_use", "in_use_most", "idle", "overflow", "overflow_most"),
    *("waiting", "waiting_most", "oldest", "timeouts"),
    *(f"{name}_p{percent}" for name in ("checkout", "wait") for percent in (50, 95, 99)),
)


def run_series(path: Path) -> list[Point]:
    """The points of a run file; their second counts from the beginning of the run.

    Other greenlets go on while it is read. Raises UsageError if it cannot be read.
    """
    file = RunFile(path)
    begun = math.floor(file.header.started)
    seconds: dict[str, dict[int, LiveSecond]] = {"": {}, "application": {}}
    for interval in file.whole():
        at = interval.second - begun
        if interval.process != SERVER and 0 <= at < MOST_SECONDS:
            known = seconds[interval.role]
            known.setdefault(at, LiveSecond(at)).add(interval)
        let_others_run()
    most = file.header.pool.most_connections
    load, pools = (_points(known, most) for known in seconds.values())
    if not file.header.driven:
        return list(load.values())
    return [_with_pools(point, pools.get(at)) for at, point in load.items()]


def _points(seconds: dict[int, LiveSecond], most: int | None) -> dict[int, Point]:
    found = {at: seconds[at].point(0, most) for at in sorted(seconds)}
    return {at: point for at, point in found.items() if point}


def _with_pools(point: Point, pools: Point | None) -> Point:
    """A point of the load generator, with the pools of the application that it drove."""
    values: dict[str, Any] = {name: pools and getattr(pools, name) for name in _OF_POOLS}
    return point._replace(**values)
