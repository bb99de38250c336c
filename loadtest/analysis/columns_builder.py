"""Makes columns of intervals that come one by one."""

from __future__ import annotations

from array import array

import numpy as np

from loadtest.analysis.columns import NUMBERS, PERIODS, Columns, GaugeColumns, Ints, TimeColumns
from loadtest.model.distribution import Distribution
from loadtest.model.interval import Interval

_UNKNOWN = (0, 0, 0, 0, 0)
_NOTHING = (0, 0)


class ColumnsBuilder:
    """Takes intervals one by one. limit: seconds from which on a checkout counts as late."""

    def __init__(self, limit: float | None = None) -> None:
        self._limit = limit
        self._processes: dict[str, int] = {}
        self._stages: dict[str, int] = {}
        # Row by row, all values of a row beside each other.
        self._numbers = array("q")
        self._counters: dict[str, array[int]] = {}
        self._gauges: dict[str, array[int]] = {}
        self._times: dict[str, array[int]] = {}
        self._rows = 0

    def add(self, row: Interval) -> None:
        """Append a row."""
        numbers = (
            row.second,
            self._processes.setdefault(row.process, len(self._processes)),
            PERIODS.index(row.period),
            row.length,
            self._stages.setdefault(row.stage, len(self._stages)),
            row.first_failure,
            row.unfinished.count,
            row.unfinished.max,
            self._late(row.histograms.get("checkout")),
            self._late(row.unfinished),
        )
        self._numbers.extend(numbers)
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
            self._gauges[name] = self._zeros(len(_UNKNOWN))
        for name, column in self._gauges.items():
            gauge = row.gauges.get(name)
            told = (gauge.integral, gauge.min, gauge.max, gauge.last, 1) if gauge else _UNKNOWN
            column.extend(told)

    def _add_times(self, row: Interval) -> None:
        for name in row.histograms.keys() - self._times.keys():
            self._times[name] = self._zeros(len(_NOTHING))
        for name, column in self._times.items():
            times = row.histograms.get(name)
            column.extend((times.count, times.sum) if times else _NOTHING)

    def _zeros(self, width: int = 1) -> array[int]:
        return array("q", bytes(8 * width * self._rows))

    def build(self) -> Columns:
        """The columns of all rows so far."""
        numbers = split(self._numbers, len(NUMBERS))
        return Columns(
            processes=tuple(self._processes),
            stages=tuple(self._stages),
            **dict(zip(NUMBERS, numbers, strict=True)),
            counters={name: split(column, 1)[0] for name, column in self._counters.items()},
            gauges={name: _levels(*split(rows, 5)) for name, rows in self._gauges.items()},
            times={name: TimeColumns(*split(rows, 2)) for name, rows in self._times.items()},
        )


def split(rows: array[int], width: int) -> list[Ints]:
    """Rows of several values as columns."""
    table = np.array(rows, dtype=np.int64).reshape(-1, width)
    return [table[:, place].copy() for place in range(width)]


def _levels(integral: Ints, low: Ints, high: Ints, last: Ints, known: Ints) -> GaugeColumns:
    return GaugeColumns(integral, low, high, last, known.astype(bool))
