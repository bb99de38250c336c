"""The intervals of a run as columns: a row for each, in the order in which they were measured.

A run of an hour has thousands of intervals. As arrays of integers they take a tenth of the memory
of the intervals, and every total over all seconds is a sum of arrays.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loadtest.model.distribution import Distribution
from loadtest.model.interval import Gauge, Interval

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

PERIODS = ("warmup", "measured", "drain")
_OF_A_GAUGE = ("integral", "min", "max", "last")


class GaugeColumns(NamedTuple):
    """A gauge in each row; zero where it is not known."""

    integral: Ints
    min: Ints
    max: Ints
    last: Ints
    known: Mask

    def where(self, rows: Mask) -> GaugeColumns:
        """The same in some rows."""
        return GaugeColumns(
            self.integral[rows],
            self.min[rows],
            self.max[rows],
            self.last[rows],
            self.known[rows],
        )

    @property
    def whole(self) -> Gauge:
        """The gauge over all rows, which follow each other."""
        lasts = self.last[self.known]
        return Gauge(
            int(self.integral.sum()),
            int(self.min[self.known].min()),
            int(self.max[self.known].max()),
            int(lasts[-1]),
        )


class TimeColumns(NamedTuple):
    """How many values a histogram has in each row, and their sum (ns)."""

    number: Ints
    sum: Ints


@dataclass(frozen=True, eq=False)
class Columns:
    """Intervals as columns.

    process, stage: indexes into `processes` and `stages`; period: into PERIODS. waits, oldest: how
    many waits were unfinished at the end of the row, and the longest (ns). late, late_waits:
    checkouts, and unfinished waits, that took longer than the requested limit.
    """

    processes: Sequence[str]
    stages: Sequence[str]
    second: Ints
    process: Ints
    period: Ints
    length: Ints
    stage: Ints
    first_failure: Ints
    waits: Ints
    oldest: Ints
    late: Ints
    late_waits: Ints
    counters: Mapping[str, Ints]
    gauges: Mapping[str, GaugeColumns]
    times: Mapping[str, TimeColumns]

    def __len__(self) -> int:
        return len(self.second)

    def where(self, rows: Mask) -> Columns:
        """Some of the rows."""
        kept = {name: getattr(self, name)[rows] for name in _NUMBERS}
        return replace(
            self,
            **kept,
            counters={name: column[rows] for name, column in self.counters.items()},
            gauges={name: levels.where(rows) for name, levels in self.gauges.items()},
            times={
                name: TimeColumns(*(c[rows] for c in sums)) for name, sums in self.times.items()
            },
        )

    def then(self, later: Columns) -> Columns:
        """The rows of two parts of a run."""
        processes, stages = (
            tuple(dict.fromkeys([*one, *other]))
            for one, other in ((self.processes, later.processes), (self.stages, later.stages))
        )
        numbers = {name: _join(getattr(self, name), getattr(later, name)) for name in _NUMBERS}
        numbers["process"] = _join(self.process, _moved(later.process, later.processes, processes))
        numbers["stage"] = _join(self.stage, _moved(later.stage, later.stages, stages))
        counters, gauges, times = (
            list(dict.fromkeys([*getattr(self, part), *getattr(later, part)]))
            for part in ("counters", "gauges", "times")
        )
        return Columns(
            processes=processes,
            stages=stages,
            **numbers,
            counters={n: _join(self.counter(n), later.counter(n)) for n in counters},
            gauges={n: GaugeColumns(*map(_join, self.gauge(n), later.gauge(n))) for n in gauges},
            times={n: TimeColumns(*map(_join, self.sums(n), later.sums(n))) for n in times},
        )

    def of(self, process: str) -> Columns:
        """The rows of a process."""
        return self.where(self.process == self.processes.index(process))

    @property
    def measured(self) -> Mask:
        """The rows after the warm-up and before the end of the load."""
        rows: Mask = self.period == PERIODS.index("measured")
        return rows

    @property
    def present(self) -> list[str]:
        """The processes that have a row, in the order of their first rows."""
        found, first = np.unique(self.process, return_index=True)
        return [self.processes[found[place]] for place in np.argsort(first)]

    def counter(self, name: str) -> Ints:
        """A counter; zero where it is missing."""
        return self.counters.get(name, np.zeros(len(self), dtype=np.int64))

    @property
    def successes(self) -> Ints:
        """Requests that succeeded."""
        return self.counter("requests") - self.counter("failures")

    def gauge(self, name: str) -> GaugeColumns:
        """A gauge; not known where it is missing."""
        nothing = np.zeros(len(self), dtype=np.int64)
        return self.gauges.get(
            name, GaugeColumns(nothing, nothing, nothing, nothing, nothing.astype(bool))
        )

    def sums(self, name: str) -> TimeColumns:
        """A histogram's values; none where it is missing."""
        nothing = np.zeros(len(self), dtype=np.int64)
        return self.times.get(name, TimeColumns(nothing, nothing))

    def by_second(self, column: Ints) -> dict[int, int]:
        """The sum of a column in each second, in order."""
        seconds, place = np.unique(self.second, return_inverse=True)
        sums = np.zeros(len(seconds), dtype=np.int64)
        np.add.at(sums, place, column)
        return dict(zip(seconds.tolist(), sums.tolist(), strict=True))

    def longest_by_second(self) -> dict[int, int]:
        """The longest row of each second (ns)."""
        seconds, place = np.unique(self.second, return_inverse=True)
        longest = np.zeros(len(seconds), dtype=np.int64)
        np.maximum.at(longest, place, self.length)
        return dict(zip(seconds.tolist(), longest.tolist(), strict=True))

    def totals(self) -> dict[str, int]:
        """The sum of each counter that occurs."""
        sums = {name: int(column.sum()) for name, column in self.counters.items()}
        return {name: number for name, number in sums.items() if number}


def _join(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate((one, other))


def _moved(indexes: Ints, old: Sequence[str], new: Sequence[str]) -> Ints:
    """Indexes into some names, as indexes into others that hold them all."""
    return np.array([new.index(name) for name in old], dtype=np.int64)[indexes]


_NUMBERS = (
    *("second", "process", "period", "length", "stage", "first_failure"),
    *("waits", "oldest", "late", "late_waits"),
)


class ColumnsBuilder:
    """Takes intervals one by one. limit: seconds from which on a checkout counts as late."""

    def __init__(self, limit: float | None = None) -> None:
        self._limit = limit
        self._processes: dict[str, int] = {}
        self._stages: dict[str, int] = {}
        self._numbers = {name: array("q") for name in _NUMBERS}
        self._counters: dict[str, array[int]] = {}
        self._gauges: dict[str, list[array[int]]] = {}
        self._times: dict[str, list[array[int]]] = {}
        self._rows = 0

    def add(self, row: Interval) -> None:
        """Append a row."""
        late = self._late(row.histograms.get("checkout")), self._late(row.unfinished)
        numbers = (
            row.second,
            self._processes.setdefault(row.process, len(self._processes)),
            PERIODS.index(row.period),
            row.length,
            self._stages.setdefault(row.stage, len(self._stages)),
            row.first_failure,
            row.unfinished.count,
            row.unfinished.max,
            *late,
        )
        for column, number in zip(self._numbers.values(), numbers, strict=True):
            column.append(number)
        self._add_counters(row)
        self._add_gauges(row)
        self._add_times(row)
        self._rows += 1

    def _late(self, times: Distribution | None) -> int:
        if self._limit is None or times is None or not times.count:
            return 0
        return times.longer_than(self._limit)

    def _add_counters(self, row: Interval) -> None:
        for name in row.counters.keys() - self._counters.keys():
            self._counters[name] = self._zeros()
        for name, column in self._counters.items():
            column.append(row.counters.get(name, 0))

    def _add_gauges(self, row: Interval) -> None:
        for name in row.gauges.keys() - self._gauges.keys():
            self._gauges[name] = [self._zeros() for _ in range(5)]
        for name, columns in self._gauges.items():
            gauge = row.gauges.get(name)
            told = (gauge.integral, gauge.min, gauge.max, gauge.last, 1) if gauge else _UNKNOWN
            for column, number in zip(columns, told, strict=True):
                column.append(number)

    def _add_times(self, row: Interval) -> None:
        for name in row.histograms.keys() - self._times.keys():
            self._times[name] = [self._zeros(), self._zeros()]
        for name, (counts, sums) in self._times.items():
            times = row.histograms.get(name)
            counts.append(times.count if times else 0)
            sums.append(times.sum if times else 0)

    def _zeros(self) -> array[int]:
        return array("q", bytes(8 * self._rows))

    def build(self) -> Columns:
        """The columns of all rows so far."""
        return Columns(
            processes=tuple(self._processes),
            stages=tuple(self._stages),
            **{name: _ints(column) for name, column in self._numbers.items()},
            counters={name: _ints(column) for name, column in self._counters.items()},
            gauges={name: _levels(map(_ints, of)) for name, of in self._gauges.items()},
            times={name: TimeColumns(*map(_ints, of)) for name, of in self._times.items()},
        )


_UNKNOWN = (0, 0, 0, 0, 0)


def _ints(column: array[int]) -> Ints:
    return np.array(column, dtype=np.int64)


def _levels(columns: Iterable[Ints]) -> GaugeColumns:
    integral, low, high, last, known = columns
    return GaugeColumns(integral, low, high, last, known.astype(bool))
