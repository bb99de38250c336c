"""What the processes of a recorded pool did together, as arrays with a value for each second."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from loadtest.analysis.columns import Columns, Ints, Levels, Mask
from loadtest.model.interval import SECOND

_A = TypeVar("_A", bound=npt.NDArray[Any])

# The number of engines that share a file; older files have no such gauge.
ENGINES = "engines"


@dataclass(frozen=True, eq=False)
class ProcessSeconds:
    """The rows of one process by second: `length` seconds after the UTC second `begin`.

    rows: at least one for each second in which it recorded. most: the most connections of one
    engine; None without a limit.
    """

    rows: Columns
    most: int | None

    @cached_property
    def begin(self) -> int:
        """Its first second."""
        return int(self.rows.second.min())

    @cached_property
    def length(self) -> int:
        """The seconds from its first to its last."""
        return int(self.rows.second.max()) + 1 - self.begin

    @property
    def there(self) -> Ints:
        """1 in each second in which it recorded, else 0."""
        return np.minimum(self._sum(np.ones(len(self.rows), dtype=np.int64)), 1)

    @cached_property
    def mostly_there(self) -> Mask:
        """Whether it recorded half of each second; of a process without such a second, any of it.

        A process that ends and its successor share a second.
        """
        mostly: Mask = 2 * self._sum(self.rows.length) >= SECOND
        return mostly if mostly.any() else self.there > 0

    def count(self, *counters: str) -> Ints:
        """Some counters together in each second."""
        return self._sum(np.sum([self.rows.counter(name) for name in counters], axis=0))

    def times(self, histogram: str) -> tuple[Ints, Ints]:
        """How many values a histogram has in each second, and their sum (ns)."""
        number, total = self.rows.sums(histogram)
        return self._sum(number), self._sum(total)

    def level(self, gauge: str) -> Levels:
        """The mean of a gauge in each second."""
        # The seconds of a process overlap if its clock was set back.
        lasted = np.maximum(self._sum(self.rows.length), SECOND)
        return self._sum(self.rows.gauge(gauge).integral) / lasted

    def highest(self, gauge: str) -> Ints:
        """The highest value of a gauge in each second."""
        highest = np.zeros(self.length, dtype=np.int64)
        np.maximum.at(highest, self.rows.second - self.begin, self.rows.gauge(gauge).max)
        return highest

    @property
    def limit(self) -> Levels:
        """The most connections of all its engines in each second; infinite without a limit."""
        most = math.inf if self.most is None else float(self.most)
        return np.where(self.there > 0, np.maximum(self.highest(ENGINES), 1) * most, 0.0)

    def _sum(self, column: Ints) -> Ints:
        sums = np.zeros(self.length, dtype=np.int64)
        np.add.at(sums, self.rows.second - self.begin, column)
        return sums


@dataclass(frozen=True, eq=False)
class PoolSeconds:
    """The seconds of some processes together: `length` seconds after the UTC second `begin`."""

    begin: int
    length: int
    each: Sequence[ProcessSeconds]

    @classmethod
    def of(cls, rows: Sequence[tuple[Columns, int | None]]) -> PoolSeconds:
        """From the first to the last second in which a process recorded.

        rows: of each process, and the most connections of one engine of it.
        """
        each = [ProcessSeconds(columns, most) for columns, most in rows if len(columns)]
        begin = min((one.begin for one in each), default=0)
        end = max((one.begin + one.length for one in each), default=begin)
        return cls(begin, end - begin, each)

    @property
    def processes(self) -> Ints:
        """How many processes recorded in each second."""
        return self.added(lambda one: one.there)

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
        return self.added(lambda one: one.count(*counters))

    def times(self, histogram: str) -> tuple[Ints, Ints]:
        """How many values a histogram has in each second, and their sum (ns)."""
        return (
            self.added(lambda one: one.times(histogram)[0]),
            self.added(lambda one: one.times(histogram)[1]),
        )

    def level(self, gauge: str) -> Levels:
        """The mean of a gauge in each second, summed over the processes."""
        return self.added(lambda one: one.level(gauge))

    def most(self, gauge: str) -> Ints:
        """The highest value of a gauge in each second, summed over the processes: a bound."""
        return self.added(lambda one: one.highest(gauge))

    @property
    def limit(self) -> Levels:
        """The most connections of the processes in each second; infinite without a limit."""
        return self.added(lambda one: one.limit)

    @property
    def most_processes(self) -> int:
        """The most processes at once."""
        there = self.added(lambda one: one.mostly_there.astype(np.int64))
        return int(there.max(initial=0))

    @property
    def highest_limit(self) -> float:
        """The most connections of the processes at once; infinite without a limit."""
        limits = self.added(lambda one: np.where(one.mostly_there, one.limit, 0.0))
        return float(limits.max(initial=0))

    def busiest(self, seconds: int) -> tuple[int, int]:
        """The UTC seconds with the most connections in use and checkouts waiting: begin and end."""
        wanted = self.level("in_use") + self.level("waiting")
        length = min(seconds, self.length)
        sums = np.concatenate(([0.0], np.cumsum(wanted)))
        begin = self.begin + int(np.argmax(sums[length:] - sums[: len(sums) - length]))
        return begin, begin + length

    def added(self, values: Callable[[ProcessSeconds], _A]) -> _A:
        """The sum of an array of each process; of truths, whether any is true."""
        each = [(one.begin - self.begin, values(one)) for one in self.each]
        whole: Any = np.zeros(self.length, dtype=each[0][1].dtype if each else np.int64)
        for begin, array in each:
            whole[begin : begin + len(array)] += array
        found: _A = whole
        return found
