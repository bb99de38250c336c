"""Stalls of the load generator, estimated from its lag: after a stall many users run at once.

A user that is due during a stall is late by the rest of the stall. If stalls of
length s begin at the rate r(s), the density of being late by x is the rate of stalls longer than x
(the residual life of a renewal process; Cox, Renewal Theory, 1962, section 5.4). So it falls, and
its steps are the rates.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.model.distribution import Distribution

# Shorter ones (s) are too short for many to be due in.
LEAST_STALL = 0.001


@dataclass(frozen=True)
class Stalls:
    """Times without a turn for any user: their lengths (s) and rates (per second)."""

    lengths: Sequence[float] = ()
    rates: Sequence[float] = ()

    @property
    def rate(self) -> float:
        """How many begin per second."""
        return sum(self.rates)

    @property
    def mean_delay(self) -> float:
        """The mean delay (s): the sum of rate x length^2 / 2."""
        pairs = zip(self.rates, self.lengths, strict=True)
        return sum(rate * length**2 / 2 for rate, length in pairs)


def stalls(lateness: Distribution) -> Stalls:
    """The stalls that explain a generator's lag at regular moments.

    The density is Grenander's estimate of one that falls: the slopes of the least concave majorant
    of the distribution function (Skandinavisk Aktuarietidskrift 39, 1956).
    """
    if not lateness.count:
        return Stalls()
    bins = np.array(lateness.bins(), dtype=np.float64)
    seconds, reached = bins[:, 0] / 1e6, np.cumsum(bins[:, 1]) / lateness.count
    late = seconds > 0
    never = float(1 - bins[late, 1].sum() / lateness.count)
    corners = _majorant([(0.0, never), *zip(seconds[late], reached[late], strict=True)])
    x, y = np.array(corners).T
    density = np.append(np.diff(y) / np.diff(x), 0.0) if len(x) > 1 else np.zeros(1)
    steps = zip(x[1:].tolist(), (density[:-1] - density[1:]).tolist(), strict=True)
    long = [(length, rate) for length, rate in steps if length >= LEAST_STALL and rate > 0]
    return Stalls(tuple(length for length, _ in long), tuple(rate for _, rate in long))


def _majorant(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners of the least concave function above some points with rising abscissae."""
    corners: list[tuple[float, float]] = []
    for x, y in points:
        while len(corners) > 1 and _below(corners[-2], corners[-1], (x, y)):
            corners.pop()
        corners.append((x, y))
    return corners


def _below(
    first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]
) -> bool:
    """Whether the middle one lies on or below the line between the others."""
    (x0, y0), (x1, y1), (x2, y2) = first, middle, last
    return (y1 - y0) * (x2 - x0) <= (y2 - y0) * (x1 - x0)


class Turns:
    """The turns of users under random stalls. numbers: the source of randomness."""

    def __init__(self, numbers: random.Random) -> None:
        self._numbers, self._until = numbers, 0.0
        self._next: float | None = None

    def after(self, moment: float, stalls: Stalls) -> float:
        """The moment of the turn of a user that is due at a moment; moments never go back.

        stalls: the current ones, which may change.
        """
        if not stalls.rates:
            return max(moment, self._until)
        if self._next is None:
            self._next = self._gap(stalls)
        while self._next <= moment:
            length = self._numbers.choices(stalls.lengths, stalls.rates)[0]
            self._until = max(self._until, self._next + length)
            self._next += self._gap(stalls)
        return max(moment, self._until)

    def _gap(self, stalls: Stalls) -> float:
        return self._numbers.expovariate(stalls.rate)
