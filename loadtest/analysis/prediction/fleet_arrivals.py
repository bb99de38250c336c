"""The arrivals at the pools of some processes, drawn again for a replay.

A recording is cut into stretches of some seconds. In a replay the arrivals of a stretch have the
holds of another one, and its split among the processes: stalls of the application, and processes
that take more than their share for a while, stay together. Only a stretch of similar load stands
for another (Lall and Sharma, "A nearest neighbor bootstrap for resampling hydrologic time series",
1996).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from loadtest.analysis.columns import Mask
from loadtest.analysis.prediction.replay import Numbers, Times


class OfferedCheckouts(NamedTuple):
    """The checkouts that one process is asked for, in order of time.

    at: their moments (s). holds: how long each holds a connection. overheads: how long each takes
    besides, without any queue.
    """

    at: Times
    holds: Times
    overheads: Times


@dataclass(frozen=True, eq=False)
class FleetArrivals:
    """The checkouts that some processes asked for, a row for each second with any.

    begins: seconds since the replayed time began. asked: the number of checkouts. stretch: of each
    row, rising. process: of each checkout, in order of their seconds. near: whether a stretch can
    stand for another one. holds, overheads: rows of equally likely times, rising; those of the
    stretches, then perhaps of single processes. own: for each process the row of its holds, -1 if
    it has those of the stretches.
    """

    begins: Times
    asked: Numbers
    stretch: Numbers
    process: Numbers
    near: Mask
    holds: Times
    overheads: Times
    own: Numbers

    @cached_property
    def counts(self) -> Numbers:
        """The number of checkouts in each stretch."""
        counts = np.zeros(len(self.near), dtype=np.int64)
        np.add.at(counts, self.stretch, self.asked)
        return counts

    def again(self, numbers: np.random.Generator) -> list[OfferedCheckouts]:
        """The checkouts of each process in one replay, at random moments of their seconds."""
        row = np.repeat(np.arange(len(self.asked)), self.asked)
        at = np.sort(self.begins[row] + numbers.random(len(row)))
        stretch, like = self.stretch[row], self._stands_for(numbers)[self.stretch[row]]
        process = self._processes(stretch, like, numbers)
        own = self.own[process]
        holds = self.holds[np.where(own < 0, like, own), self._columns(stretch, numbers)]
        drawn = numbers.integers(self.overheads.shape[1], size=len(row))
        overheads = self.overheads[like, drawn]
        each = (process == number for number in range(len(self.own)))
        return [OfferedCheckouts(at[one], holds[one], overheads[one]) for one in each]

    def _stands_for(self, numbers: np.random.Generator) -> Numbers:
        """For each stretch the one whose holds and split it has.

        The weights are those of a Bayesian bootstrap (Rubin, 1981): the recording is a sample
        itself, and another time is one more sample.
        """
        weights = numbers.exponential(size=len(self.near))
        odds = np.cumsum(self.near * weights, axis=1)
        drawn = numbers.random(len(odds))[:, None] * odds[:, -1:]
        chosen: Numbers = (odds <= drawn).sum(axis=1)
        return chosen

    def _processes(self, stretch: Numbers, like: Numbers, numbers: np.random.Generator) -> Numbers:
        """Successive processes of the other stretch, from a random one on."""
        begin = np.floor(numbers.random(len(self.counts)) * self.counts).astype(np.int64)
        place = (begin[like] + self._number(stretch)) % self.counts[like]
        return self.process[self._first[like] + place]

    def _columns(self, stretch: Numbers, numbers: np.random.Generator) -> Numbers:
        """The column of each hold: evenly spread in a stretch, in random order.

        So the mean of a stretch varies as that of the recorded stretches does, and no more.
        """
        rank = np.empty(len(stretch), dtype=np.int64)
        rank[np.lexsort((numbers.random(len(stretch)), stretch))] = self._number(stretch)
        share = (rank + numbers.random(len(stretch))) / self.counts[stretch]
        width = self.holds.shape[1]
        columns: Numbers = np.minimum(np.floor(share * width), width - 1).astype(np.int64)
        return columns

    @property
    def _first(self) -> Numbers:
        return np.cumsum(self.counts) - self.counts

    def _number(self, stretch: Numbers) -> Numbers:
        """The number of each checkout within its stretch."""
        return np.arange(len(stretch)) - self._first[stretch]
