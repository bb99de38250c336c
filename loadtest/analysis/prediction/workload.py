"""The workload of a pool (users, rate and hold), and the outcome of a simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from loadtest.analysis.prediction.stalls import Stalls

Samples = Sequence[float]
"""Times (s) that are equally likely."""


@dataclass(frozen=True)
class ByLevel:
    """Times that depend on how many connections are in use: samples at each of some levels.

    levels: rising numbers of connections in use, with as many samples each, sorted. Between two
    levels the mean follows a power of the number in use, and the quantiles are interpolated. Beyond
    the first and the last level, theirs apply.
    """

    levels: Sequence[float]
    samples: Sequence[Samples]

    @classmethod
    def constant(cls, samples: Samples) -> ByLevel:
        """Times that do not depend on how many connections are in use."""
        return cls((1.0,), (samples,))

    def between(self, used: float) -> tuple[Samples, Samples, float]:
        """The samples on both sides of a number in use, and the share of the upper ones."""
        above = next((n for n, level in enumerate(self.levels) if level >= used), None)
        if above is None:
            return self.samples[-1], self.samples[-1], 0.0
        if above == 0:
            return self.samples[0], self.samples[0], 0.0
        low, high = self.levels[above - 1], self.levels[above]
        place = math.log(used / low) / math.log(high / low)
        return self.samples[above - 1], self.samples[above], self._share(above, place)

    def _share(self, above: int, place: float) -> float:
        """The share of the upper samples that gives a mean between two levels."""
        first, second = (sum(part) / len(part) for part in self.samples[above - 1 : above + 1])
        if min(first, second) <= 0 or math.isclose(first, second):
            return place
        return float((first * (second / first) ** place - first) / (second - first))

    def mean(self, used: float) -> float:
        """The mean time at a number in use."""
        low, high, share = self.between(used)
        return sum(low) / len(low) * (1 - share) + sum(high) / len(high) * share

    def nearest(self, used: int) -> int:
        """The index of the level that is nearest to a number in use."""
        return min(range(len(self.levels)), key=lambda n: abs(self.levels[n] - used))


NO_TIME = ByLevel.constant((0.0,))


@dataclass(frozen=True)
class Workload:
    """The users of a pool, their rate and their holds.

    users: their number; in an open loop the most at once. rate: the offered rate (1/s) of an open
    loop, None in a closed one. hold: how long a connection is needed. stalls: at each of the levels
    of hold, times without turns, after which all due users return their connections. handover: by
    connections in use, the time from a return until the notified user runs. outside: from then on
    until the user that returned the connection asks again. yielding: the share of returns after
    which a user lets others run first. overtaking: by connections in use, the share of those that
    still get a turn before the user they notified. connect: its time, from the nearest level. ping:
    its time with pool_pre_ping. drop_after: how late an arrival of the open loop may find a free
    user.
    """

    users: int
    hold: ByLevel
    stalls: Sequence[Stalls] = ()
    handover: ByLevel = NO_TIME
    outside: Samples = (0.0,)
    yielding: float = 1.0
    overtaking: ByLevel = NO_TIME
    connect: ByLevel = NO_TIME
    ping: Samples = (0.0,)
    rate: float | None = None
    even: bool = False
    drop_after: float = math.inf

    def away(self, used: float) -> float:
        """The mean time (s) of a user outside the pool, at a number in use."""
        return sum(self.outside) / len(self.outside) + self.handover.mean(used)


@dataclass
class SimulationOutcome:
    """The outcome of the measured time (`seconds`) of one simulation.

    waits: of all checkouts in it, whatever their end. served: connections handed out. used: how
    many different ones. in_use: the mean number. peak: the most open at once. left: the waits that
    had not ended after ten such times; they are lower bounds.
    """

    seconds: float
    waits: list[float] = field(default_factory=list)
    asked: int = 0
    timeouts: int = 0
    served: int = 0
    opened: int = 0
    peak: int = 0
    in_use: float = 0.0
    used: int = 0
    dropped: int = 0
    left: int = 0
