"""The intervals of a run as columns: a row for each, in the order in which they were measured.

A run of an hour has thousands of intervals. As arrays of integers they take a tenth of the memory
of the intervals, and every total over all seconds is a sum of arrays.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from loadtest.model.interval import Gauge

_T = TypeVar("_T")

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Levels = npt.NDArray[np.float64]

PERIODS = ("warmup", "measured", "drain")


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
        """Some of the rows; all but the numbers are copied only when they are looked at."""
        kept = {name: getattr(self, name)[rows] for name in NUMBERS}
        return replace(
            self,
            **kept,
            counters=_Selected(self.counters, lambda column: column[rows]),
            gauges=_Selected(self.gauges, lambda levels: levels.where(rows)),
            times=_Selected(
                self.times, lambda sums: TimeColumns(sums.number[rows], sums.sum[rows])
            ),
        )

    @classmethod
    def joined(cls, parts: Sequence[Columns]) -> Columns:
        """The rows of some parts of a run that follow each other."""
        if len(parts) == 1:
            return parts[0]
        processes = _all(part.processes for part in parts)
        stages = _all(part.stages for part in parts)
        numbers = {name: _join(getattr(part, name) for part in parts) for name in NUMBERS}
        numbers["process"] = _join(_moved(p.process, p.processes, processes) for p in parts)
        numbers["stage"] = _join(_moved(p.stage, p.stages, stages) for p in parts)
        counters, gauges, times = (
            _all(part for part in each)
            for each in zip(*((p.counters, p.gauges, p.times) for p in parts), strict=True)
        )
        return cls(
            processes=processes,
            stages=stages,
            **numbers,
            counters={name: _join(part.counter(name) for part in parts) for name in counters},
            gauges={
                name: GaugeColumns(
                    *map(_join, zip(*(part.gauge(name) for part in parts), strict=True))
                )
                for name in gauges
            },
            times={
                name: TimeColumns(
                    *map(_join, zip(*(part.sums(name) for part in parts), strict=True))
                )
                for name in times
            },
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

    def lengths(self) -> dict[int, Counter[int]]:
        """How long each process measured in each second (ns), by second and process."""
        found: dict[int, Counter[int]] = defaultdict(Counter)
        columns = (column.tolist() for column in (self.second, self.process, self.length))
        for second, process, length in zip(*columns, strict=True):
            found[second][process] += length
        return found

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


class _Selected(Mapping[str, _T]):
    """Columns by name, of which rows are selected when one is looked at."""

    def __init__(self, columns: Mapping[str, _T], select: Callable[[_T], _T]) -> None:
        self._columns, self._select = columns, select

    def __getitem__(self, name: str) -> _T:
        return self._select(self._columns[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def _join(columns: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(list(columns))


def _all(names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The names in any of some collections, in the order in which they came."""
    return tuple(dict.fromkeys(name for each in names for name in each))


def _moved(indexes: Ints, old: Sequence[str], new: Sequence[str]) -> Ints:
    """Indexes into some names, as indexes into others that hold them all."""
    return np.array([new.index(name) for name in old], dtype=np.int64)[indexes]


# The columns that every row has.
NUMBERS = (
    *("second", "process", "period", "length", "stage", "first_failure"),
    *("waits", "oldest", "late", "late_waits"),
)
