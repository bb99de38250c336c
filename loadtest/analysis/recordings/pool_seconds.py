"""What the processes of a recorded pool did together, as arrays with a value for each second."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.analysis.columns import Columns, Ints, Levels, Mask
from loadtest.model.interval import SECOND

# The number of engines that share a file; older files have no such gauge.
ENGINES = "engines"


@dataclass(frozen=True, eq=False)
class PoolSeconds:
    """The rows of some processes by second: `begin` and `length` seconds after it.

    rows: of each process, a row for each second, and the most connections of one engine of it; None
    without a limit.
    """

    begin: int
    length: int
    rows: Sequence[tuple[Columns, int | None]]

    @classmethod
    def of(cls, rows: Sequence[tuple[Columns, int | None]]) -> PoolSeconds:
        """From the first to the last second in which a process recorded."""
        known = [(columns, limit) for columns, limit in rows if len(columns)]
        begin = min((int(columns.second.min()) for columns, _ in known), default=0)
        end = max((int(columns.second.max()) + 1 for columns, _ in known), default=begin)
        return cls(begin, end - begin, known)

    @property
    def processes(self) -> Ints:
        """How many processes recorded in each second."""
        return sum((there.astype(np.int64) for there in self._there()), self._zeros())

    @property
    def recorded(self) -> int:
        """The seconds in which any process recorded."""
        return int((self.processes > 0).sum())

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """The UTC seconds without any process: the begin and the end of each gap."""
        nothing = np.concatenate(([0], self.processes == 0, [0])).astype(np.int64)
        edges = (np.flatnonzero(np.diff(nothing)) + self.begin).tolist()
        return list(zip(edges[::2], edges[1::2], strict=True))

    def count(self, *counters: str) -> Ints:
        """Some counters together in each second."""
        return sum(self.counts_of(*counters), self._zeros())

    def counts_of(self, *counters: str) -> Iterator[Ints]:
        """Some counters together in each second, of one process after the other."""
        for rows, _ in self.rows:
            yield sum((self._sum(rows, rows.counter(name)) for name in counters), self._zeros())

    def times(self, histogram: str) -> tuple[Ints, Ints]:
        """How many values a histogram has in each second, and their sum (ns)."""
        sums = [(rows, rows.sums(histogram)) for rows, _ in self.rows]
        number = sum((self._sum(rows, one.number) for rows, one in sums), self._zeros())
        return number, sum((self._sum(rows, one.sum) for rows, one in sums), self._zeros())

    def busiest(self, seconds: int) -> tuple[int, int]:
        """The UTC seconds with the most connections in use and checkouts waiting: begin and end."""
        wanted = self.level("in_use") + self.level("waiting")
        length = min(seconds, self.length)
        sums = np.concatenate(([0.0], np.cumsum(wanted)))
        begin = self.begin + int(np.argmax(sums[length:] - sums[: len(sums) - length]))
        return begin, begin + length

    def level(self, gauge: str) -> Levels:
        """The mean of a gauge in each second, summed over the processes."""
        return sum(self.levels_of(gauge), np.zeros(self.length))

    def levels_of(self, gauge: str) -> Iterator[Levels]:
        """The mean of a gauge in each second, of one process after the other."""
        for rows, _ in self.rows:
            # The seconds of a process overlap if its clock was set back.
            lasted = np.maximum(self._sum(rows, rows.length), SECOND)
            yield self._sum(rows, rows.gauge(gauge).integral) / lasted

    def most(self, gauge: str) -> Ints:
        """The highest value of a gauge in each second, summed over the processes: a bound."""
        return sum(self.most_of(gauge), self._zeros())

    def most_of(self, gauge: str) -> Iterator[Ints]:
        """The highest value of a gauge in each second, of one process after the other."""
        for rows, _ in self.rows:
            yield self._highest(rows, rows.gauge(gauge).max)

    @property
    def limit(self) -> Levels:
        """The most connections of the processes in each second; infinite without a limit."""
        return sum(self.limits(), np.zeros(self.length))

    def limits(self) -> Iterator[Levels]:
        """The most connections in each second, of one process after the other; 0 without it."""
        for (rows, most), there in zip(self.rows, self._there(), strict=True):
            engines = np.maximum(self._highest(rows, rows.gauge(ENGINES).max), 1)
            yield np.where(there, engines * (math.inf if most is None else float(most)), 0.0)

    def _there(self) -> Iterator[Mask]:
        for rows, _ in self.rows:
            yield self._sum(rows, np.ones(len(rows), dtype=np.int64)) > 0

    def _sum(self, rows: Columns, column: Ints) -> Ints:
        sums = self._zeros()
        np.add.at(sums, rows.second - self.begin, column)
        return sums

    def _highest(self, rows: Columns, column: Ints) -> Ints:
        highest = self._zeros()
        np.maximum.at(highest, rows.second - self.begin, column)
        return highest

    def _zeros(self) -> Ints:
        return np.zeros(self.length, dtype=np.int64)
