"""What is asked of a pool: who asks, how often, and for how long; and what comes of it."""

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
    levels the mean follows a power of the number in use (what hinders each other grows with those
    who do) and the quantiles lie between theirs; beyond the first and the last one they are theirs.
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
        """The share of the upper samples at a place between two levels, so that the mean is it."""
        first, second = (sum(part) / len(part) for part in self.samples[above - 1 : above + 1])
        if min(first, second) <= 0 or math.isclose(first, second):
            return place
        return float((first * (second / first) ** place - first) / (second - first))

    def mean(self, used: float) -> float:
        """The mean time with so many in use."""
        low, high, share = self.between(used)
        return sum(low) / len(low) * (1 - share) + sum(high) / len(high) * share

    def nearest(self, used: int) -> int:
        """The number, from 0, of the level that is nearest to so many in use."""
        return min(range(len(self.levels)), key=lambda n: abs(self.levels[n] - used))


NO_TIME = ByLevel.constant((0.0,))


@dataclass(frozen=True)
class Workload:
    """Who asks for connections, how often and for how long.

    users: how many there are; in an open loop the most at once. rate: arrivals per second of an
    open loop, None in a closed one. hold: how long a connection is needed. stalls: at each of the
    levels of hold, times in which nobody gets a turn to return theirs, and all do when it ends.
    handover: by connections in use, from a return until the one notified runs. outside: from then
    on until the user who returned it asks again. yielding: the share of returns after which a user
    lets others run first. overtaking: by connections in use, the share of those who do and get a
    turn before the one they notified all the same. connect: what that takes, as at the nearest
    level. ping: the same with pool_pre_ping. drop_after: how late an arrival of the open loop may
    find a free user.
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
        """How long (s) a user is outside of the pool each time, on average, with so many in use."""
        return sum(self.outside) / len(self.outside) + self.handover.mean(used)


@dataclass
class SimulationOutcome:
    """What happened in the measured time (`seconds`) of one simulation.

    waits: of all who asked in it, however they ended. served: connections handed out in it. used:
    how many different ones. in_use: the mean number. peak: the most open at once. left: how many
    of those who asked in it still waited after ten such times; their waits are lower bounds.
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
