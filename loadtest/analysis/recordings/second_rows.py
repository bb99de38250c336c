"""Intervals of several seconds as rows of one second each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from loadtest.analysis.columns import NUMBERS, Columns, GaugeColumns, Ints, TimeColumns
from loadtest.model.interval import SECOND

# These are the same in each second of an interval; counts are divided.
_KEPT = {"process", "period", "stage", "first_failure"}
# These are known at the end of an interval only.
_AT_THE_END = {"oldest", "late_waits"}


def spread(columns: Columns) -> Columns:
    """The same with a row for each second, over which counts and levels are evenly divided.

    Waits lie in as few seconds as the most at once allow. The number of unfinished waits changes
    evenly, too. Sums over all rows stay exact.
    """
    number = np.maximum(1, np.rint(columns.length / SECOND).astype(np.int64))
    return columns if (number == 1).all() else _Spread(number).all(columns)


class _Spread:
    """Divides rows; number: the seconds of each."""

    def __init__(self, number: Ints) -> None:
        self._number = number
        self._of = np.repeat(number, number)
        self._step = np.arange(len(self._of)) - np.repeat(np.cumsum(number) - number, number)

    def all(self, columns: Columns) -> Columns:
        """All columns, divided."""
        numbers: dict[str, Any] = {
            name: self._column(name, getattr(columns, name)) for name in NUMBERS
        }
        numbers["second"] = self._kept(columns.second) + self._step
        counters = {name: self._shared(column) for name, column in columns.counters.items()}
        gauges = {name: self._gauge(name, gauge) for name, gauge in columns.gauges.items()}
        times = {
            name: TimeColumns(self._shared(one.number), self._shared(one.sum))
            for name, one in columns.times.items()
        }
        return replace(columns, **numbers, counters=counters, gauges=gauges, times=times)

    def _column(self, name: str, column: Ints) -> Ints:
        if name in _KEPT:
            return self._kept(column)
        if name == "waits":
            before = self._kept(np.concatenate(([0], column[:-1])))
            return before + (self._kept(column) - before) * (self._step + 1) // self._of
        if name in _AT_THE_END:
            return np.where(self._step == self._of - 1, self._kept(column), 0)
        return self._shared(column)

    def _kept(self, column: Ints) -> Ints:
        return np.repeat(column, self._number)

    def _shared(self, column: Ints, among: Ints | None = None) -> Ints:
        """Parts of whole numbers that differ by at most one; among: fewer of the first rows."""
        number = self._of if among is None else among
        quotient, rest = np.divmod(self._kept(column), number)
        return np.where(self._step < number, quotient + (self._step < rest), 0)

    def _gauge(self, name: str, gauge: GaugeColumns) -> GaugeColumns:
        low, high, last = map(self._kept, (gauge.min, gauge.max, gauge.last))
        known = np.repeat(gauge.known, self._number)
        among = self._of
        if name == "waiting":
            fewest = -(-self._kept(gauge.integral) // np.maximum(high * SECOND, 1))
            among = np.clip(fewest, 1, self._of)
        return GaugeColumns(self._shared(gauge.integral, among), low, high, last, known)
