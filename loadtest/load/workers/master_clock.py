"""The common clock of all processes of a run: the wall clock of the master."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from gevent.event import Event

QUESTIONS = 8
# The longest time to ask (s): an interval is one second.
ASKING_SECONDS = 1.0


@dataclass(frozen=True, order=True)
class Sample:
    """One question and its answer, in nanoseconds; the one with the shortest round trip is best.

    ahead: how far the answering clock is ahead of the asking one, accurate to half of
    `round_trip`.
    """

    round_trip: int
    ahead: int

    @classmethod
    def of(cls, asked: int, heard: int, answered: int, received: int) -> Sample:
        """From the moments T1 to T4; T2 and T3 are of the other clock.

        The formulas are NTP's (RFC 5905, section 8).
        """
        return cls(
            round_trip=(received - asked) - (answered - heard),
            ahead=((heard - asked) + (answered - received)) // 2,
        )


class MasterClock:
    """The master's wall clock, estimated by a worker.

    send: sends a question, with its time. best: the best sample; None before the first answer.
    """

    def __init__(self, send: Callable[[int], None]) -> None:
        self._send = send
        self._answer, self._over = Event(), Event()
        self.best: Sample | None = None

    def ask(self, done: Callable[[], None]) -> None:
        """Forget earlier answers, ask several times in the background and keep the best answer."""
        self.best = None
        self._over.clear()
        gevent.spawn(self._ask, done)

    def _ask(self, done: Callable[[], None]) -> None:
        try:
            with gevent.Timeout(ASKING_SECONDS, False):
                for _ in range(QUESTIONS):
                    self._answer.clear()
                    self._send(time.time_ns())
                    self._answer.wait()
        finally:
            self._over.set()
        done()

    def hear(self, asked: int, heard: int, answered: int) -> None:
        """Take an answer."""
        sample = Sample.of(asked, heard, answered, time.time_ns())
        if not self._over.is_set():  # a later correction would break the sequence of seconds
            self.best = min(self.best or sample, sample)
        self._answer.set()

    def correction(self) -> int:
        """The correction of this machine's wall clock (ns); 0 without an answer.

        Waits until all questions are asked.
        """
        self._over.wait()
        return self.best.ahead if self.best else 0

    def now(self) -> float:
        """The time by the master's clock, in seconds; waits as `correction` does."""
        correction = self.correction()
        return time.time() + correction / 1e9
