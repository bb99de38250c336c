"""Arrivals: the moments at which requests are due in an open loop."""

from __future__ import annotations

import math
import random
import threading
from argparse import Namespace
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

from loadtest.model.field_types import parse_duration
from loadtest.model.load import Stage, parse_stages
from loadtest.pool.checkout_batch import clock
from loadtest.pool.recorder import Recorder

# The due time (ns) after the last arrival.
NEVER = 10**18
LEAST_SLEEP = 5_000_000


@dataclass(frozen=True)
class Piece:
    """A period (s) in which the arrival rate (per second) changes linearly from start to end.

    The last piece may be endless if its rate is constant. at_once: arrivals due at its begin.
    """

    seconds: float
    start: float
    end: float
    at_once: int = 0

    def share(self, index: int, processes: int) -> Piece:
        """The share of one of several processes; the first processes take the remainder."""
        at_once, over = divmod(self.at_once, processes)
        extra = int(index < over)
        return Piece(self.seconds, self.start / processes, self.end / processes, at_once + extra)

    @property
    def expected(self) -> float:
        """The expected number of arrivals."""
        mean = (self.start + self.end) / 2
        return mean * self.seconds if mean else 0.0

    def reached(self, arrivals: float) -> float:
        """The seconds until a number of arrivals is expected: the inverse of the integral."""
        change = (self.end - self.start) / self.seconds
        # If the rate falls to zero, rounding may give a negative number.
        root = math.sqrt(max(0.0, self.start**2 + 2 * change * arrivals))
        return 2 * arrivals / (self.start + root)


def due_times(pieces: Iterable[Piece], gaps: Iterator[float]) -> Iterator[float]:
    """The seconds at which arrivals are due, for gaps between them in expected arrivals.

    Exponential gaps with mean 1 give a Poisson process, also with a changing rate (time is rescaled
    by the integral of the rate: Cinlar, Introduction to Stochastic Processes, 1975).
    """
    began, gap = 0.0, next(gaps)
    for piece in pieces:
        yield from repeat(began, piece.at_once)
        used = 0.0
        while used + gap <= piece.expected:
            used += gap
            yield began + piece.reached(used)
            gap = next(gaps)
        gap -= piece.expected - used
        began += piece.seconds


def poisson_gaps(numbers: random.Random) -> Iterator[float]:
    """Gaps of independent arrivals."""
    while True:
        yield numbers.expovariate(1.0)


def even_gaps(index: int, processes: int) -> Iterator[float]:
    """Gaps of evenly spaced arrivals; those of several processes alternate."""
    return chain([(index + 1) / processes], repeat(1.0))


def schedule(options: Namespace, index: int) -> Arrivals | None:
    """This process's share of the arrivals of the options; None in a closed loop."""
    stages = parse_stages(options.stages)
    opened = stages and stages[0].arrival_rate is not None
    if not options.arrival_rate and not opened:
        return None
    processes = options.rate_shared_by
    place = index % processes
    numbers = random.Random(f"arrivals-{options.seed}-{index}")
    gaps = even_gaps(place, processes) if options.arrivals == "even" else poisson_gaps(numbers)
    pieces = [piece.share(place, processes) for piece in _pieces(options, stages)]
    return Arrivals(due_times(pieces, gaps), options.drop_after)


def _pieces(options: Namespace, stages: Sequence[Stage]) -> Iterator[Piece]:
    """The warm-up, the stages, and then the last rate until the run ends."""
    first = stages[0].start if stages else options.arrival_rate
    last = stages[-1].end if stages else options.arrival_rate
    warmup = parse_duration(options.warmup)
    if warmup:
        yield Piece(warmup, first, first)
    for stage in stages:
        yield Piece(stage.duration, stage.start, stage.end, stage.at_once)
    yield Piece(math.inf, last, last)


class Arrivals:
    """A schedule shared by the users of one process: each free user takes the next arrival.

    If the arrival is due later, the user sleeps until then. If all users were busy, the next free
    user takes an overdue arrival. An arrival that is overdue for more than `drop_after` seconds is
    dropped. times: see `due_times`, relative to `start`. Users may be threads.
    """

    def __init__(self, times: Iterator[float], drop_after: float) -> None:
        self._times, self._begun = times, 0
        self._drop_after = round(drop_after * 1e9)
        self._latest = NEVER
        self._untaken: deque[int] = deque()
        self._coming: deque[int] = deque()
        self._arrived = self._dropped = 0
        self._lock = threading.Lock()

    def count_in(self, recorder: Recorder) -> None:
        """Let a recorder count these arrivals, and those of them that are dropped."""
        recorder.open_loop = True
        recorder.rising |= {"arrivals": self.arrived, "dropped": self.dropped}

    def start(self) -> None:
        """Begin the schedule just after the clock of the stages, so that arrivals match them."""
        self._begun = clock() + LEAST_SLEEP
        self._draw()

    def take(self) -> int:
        """Take the next arrival; returns its due time (clock, ns)."""
        with self._lock:
            self._catch_up(clock())
            if not self._untaken:
                self._draw()
            return self._untaken.popleft()

    def arrived(self) -> int:
        """The number of arrivals due so far, taken or not."""
        with self._lock:
            now = clock()
            self._catch_up(now)
            while self._coming and self._coming[0] <= now:
                self._coming.popleft()
                self._arrived += 1
            return self._arrived

    def dropped(self) -> int:
        """The number of arrivals that found no free user in time."""
        with self._lock:
            self._catch_up(clock())
            return self._dropped

    def _catch_up(self, now: int) -> None:
        while self._latest <= now:
            self._draw()
        while self._untaken and self._untaken[0] < now - self._drop_after:
            self._untaken.popleft()
            self._dropped += 1

    def _draw(self) -> None:
        after = next(self._times, None)
        self._latest = NEVER if after is None else self._begun + round(after * 1e9)
        self._untaken.append(self._latest)
        self._coming.append(self._latest)
