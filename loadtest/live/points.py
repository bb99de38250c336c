"""The last minutes of all runs of this process for the live page, one point per second.

Nothing is measured here: the points are made from the intervals of the result file.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.live.run_so_far import RunSoFar
from loadtest.live.second import LiveSecond, Point
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig

KEPT_SECONDS = 900
KEPT_RUNS = 50
# An interval that is this much older than the newest one (s) goes to the result file only.
SILENT_SECONDS = 5


def _no_report() -> Path | None:
    return None


@dataclass
class LiveRun:
    """A run as the page knows it.

    begun: UTC seconds. reason: why it ended, empty while it runs. report: returns the path of the
    report, None before it exists. most: the highest value of some levels so far. so_far: its
    numbers in the table of runs.
    """

    number: int
    pool: PoolConfig
    begun: float
    reason: str = ""
    report: Callable[[], Path | None] = _no_report
    timeouts: int = 0
    most: dict[str, float] = field(default_factory=dict)
    so_far: RunSoFar = field(default_factory=RunSoFar)


@dataclass
class _Row:
    text: str
    version: int


class Points:
    """The latest points as JSON texts, and the newest seconds, which still grow.

    A point is made on request or when its second is complete, usually once.
    clock: UTC seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._served_since = clock()
        self._version = 0
        self._rows: dict[tuple[int, int], _Row] = {}
        self._growing: dict[int, LiveSecond] = {}
        self._changed: set[int] = set()
        self._newest = 0
        self.runs: list[LiveRun] = []
        self.latest: Point | None = None

    def begin(self, pool: PoolConfig) -> None:
        """Begin a run with this pool."""
        self.end("replaced by the next run")
        number = self.runs[-1].number + 1 if self.runs else 1
        self.runs = [*self.runs, LiveRun(number, pool, self._clock())][-KEPT_RUNS:]
        self.latest = None

    def add(self, interval: Interval) -> None:
        """Take an interval of any process of the current run."""
        run = self.runs[-1] if self.runs else None
        if run is None or run.reason or interval.second <= self._newest - SILENT_SECONDS:
            return
        run.timeouts += interval.counters["timeouts"]
        run.so_far.add(interval)
        second = self._growing.setdefault(interval.second, LiveSecond(interval.second))
        second.add(interval)
        self._changed.add(interval.second)
        if interval.second > self._newest:
            self._newest = interval.second
            for old in [s for s in self._growing if s <= self._newest - SILENT_SECONDS]:
                self._make(old)
                del self._growing[old]

    def end(self, reason: str, report: Callable[[], Path | None] = _no_report) -> None:
        """End the current run; its last second is shown as it is."""
        if not self.runs or self.runs[-1].reason:
            return
        for second in sorted(self._growing):
            self._make(second)
        self._growing, self._newest = {}, 0
        self.runs[-1].reason, self.runs[-1].report = reason, report

    def report(self, number: int | None = None) -> Path | None:
        """The report of a run, by default of the last run that has one; None without a report."""
        runs = [run for run in self.runs if number in (None, run.number)]
        return next((path for run in reversed(runs) if (path := run.report())), None)

    def refresh(self) -> None:
        """Make the points of all complete seconds."""
        for second in sorted(self._changed):
            if self._whole(second):
                self._make(second)

    def answer(self, since: int) -> str:
        """The answer to the page: JSON with all points made or changed after a version.

        since: the `version` of the previous answer; 0 for all points.
        """
        self.refresh()
        rows = [row.text for row in self._rows.values() if row.version > since]
        facts = {
            "server": self._served_since,
            "version": self._version,
            "now": round(self._clock(), 3),
            "kept": KEPT_SECONDS,
            "fields": Point._fields,
            "runs": [_facts(run) for run in self.runs],
        }
        return f'{json.dumps(facts)[:-1]}, "points": [{",".join(rows)}]}}'

    def _whole(self, second: int) -> bool:
        """Whether all recent processes have sent this second; only the newest second waits."""
        known = {name for other in self._growing.values() for name in other.processes}
        return second < self._newest or known <= self._growing[second].processes

    def _make(self, second: int) -> None:
        if second not in self._changed:
            return
        self._changed.discard(second)
        run = self.runs[-1]
        point = self._growing[second].point(run.number, run.pool.most_connections)
        if point is None:
            return
        self._version += 1
        text = json.dumps(point, separators=(",", ":"))
        self._rows[run.number, second] = _Row(text, self._version)
        while len(self._rows) > KEPT_SECONDS:
            del self._rows[next(iter(self._rows))]
        if self.latest is None or second >= self.latest.second:
            self.latest = point
        for name in ("in_use_most", "overflow_most", "waiting_most", "checkout_p95", "cpu"):
            run.most[name] = max(run.most.get(name, 0), getattr(point, name) or 0)


def _facts(run: LiveRun) -> dict[str, object]:
    report = run.report()
    return {
        "number": run.number,
        "pool": run.pool.name,
        "begun": round(run.begun, 3),
        "reason": run.reason,
        "timeouts": run.timeouts,
        "report": report is not None,
        "result": report and report.parent.name,
        **run.so_far.numbers(),
    }
