"""The intervals of a recording, added up in blocks of seconds for lines over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loadtest.model.interval import SECOND, Interval

# More blocks are joined to longer ones. Each length is a multiple of the one before it.
MOST_BLOCKS = 600
LENGTHS = (1, 2, 10, 30, 60, 300, 600, 3600, 86400)
# The seconds of an interval of a recording over its size limit. A longer one is that of a process
# that was stopped for a while.
LONGEST_REGULAR = 10
# Histograms of one place in the code have this in their names.
OF_PLACE = "@"


class Blocks:
    """Adds up the intervals of one process in blocks, which get longer when there are too many.

    seconds: the length of a block, a divisor of its UTC second. A single longer interval is in the
    block in which it begins.
    """

    def __init__(self, most: int = MOST_BLOCKS) -> None:
        self.seconds = LENGTHS[0]
        self._most = most
        self._all: dict[int, Interval] = {}

    def add(self, interval: Interval) -> None:
        """Add an interval that follows the earlier ones."""
        if 1.5 * self.seconds < interval.length / SECOND < 1.5 * LONGEST_REGULAR:
            self.lengthen(next(n for n in LENGTHS if n * SECOND >= interval.length / 1.5))
        self._absorb(interval)
        self._limit()

    def extend(self, later: Blocks) -> None:
        """Add the blocks of the time that follows."""
        for blocks, other in ((self, later), (later, self)):
            blocks.lengthen(other.seconds)
        for block in later._all.values():
            self._absorb(block)
        self._limit()

    def _limit(self) -> None:
        while len(self._all) > self._most and self.seconds < LENGTHS[-1]:
            self.lengthen(LENGTHS[LENGTHS.index(self.seconds) + 1])

    def lengthen(self, seconds: int) -> None:
        """Join blocks to longer ones; do nothing if they are as long already."""
        if seconds > self.seconds:
            self.seconds, blocks = seconds, list(self._all.values())
            self._all = {}
            for block in blocks:
                self._absorb(block)

    def _absorb(self, interval: Interval) -> None:
        begin = interval.second - interval.second % self.seconds
        if begin not in self._all:
            self._all[begin] = Interval(begin, interval.process, interval.period, 0)
        self._all[begin].absorb(interval)

    def by_begin(self) -> dict[int, Interval]:
        """The blocks by the UTC second in which they begin."""
        return self._all


def blocks_beside(processes: Sequence[Blocks]) -> tuple[int, list[Interval]]:
    """The length of the blocks of several processes, and what all did in each, in order."""
    seconds = max((blocks.seconds for blocks in processes), default=LENGTHS[0])
    together: dict[int, Interval] = {}
    for blocks in processes:
        blocks.lengthen(seconds)
        for begin, block in blocks.by_begin().items():
            found = together.get(begin)
            together[begin] = found.beside(block) if found else block
    return seconds, [together[begin] for begin in sorted(together)]


def without_places(interval: Interval) -> Interval:
    """The interval without what belongs to places in the code, and without slow checkouts."""
    times = {name: one for name, one in interval.histograms.items() if OF_PLACE not in name}
    return replace(interval, histograms=times, places={}, shortages=[], slowest=[])
