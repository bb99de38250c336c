"""The clock of a run: intervals are cut at every UTC second and where a period ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import gevent
from gevent.lock import Semaphore

from loadtest.interval import Interval, Period
from loadtest.loads import Stage, begins

# Woken a little late rather than a little early: then nothing of the new second is lost.
_MARGIN_SECONDS = 0.0005


class Ticker:
    """Cuts one source into intervals and hands them on, from its making until it is stopped.

    cut: gives what there is since it was last called, or None. take: gets what was cut. stages:
    what the measured time, which begins after the warm-up (s), consists of. clock: the time in
    seconds; a worker's is its master's.
    """

    def __init__(
        self,
        cut: Callable[[Period], Interval | None],
        take: Callable[[Interval], None],
        warmup: float,
        stages: Sequence[Stage] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cut_source, self._take, self._clock = cut, take, clock
        parts = [(warmup + begin, name) for begin, name in begins(stages) or [(0.0, "")]]
        self._period: Period = "warmup" if warmup else "measured"
        self._stage = "" if warmup else parts[0][1]
        self._busy = Semaphore()
        self._greenlets = [gevent.spawn(self._run)]
        self._greenlets += [
            gevent.spawn_later(at, self.enter, "measured", name) for at, name in parts if at
        ]

    def enter(self, period: Period, stage: str = "") -> None:
        """End the current period and stage here."""
        self._cut()
        self._period, self._stage = period, stage

    def stop(self) -> None:
        """Cut what is left and stop."""
        gevent.killall(self._greenlets)
        self._cut()

    def _run(self) -> None:
        while True:
            gevent.sleep(1 - self._clock() % 1 + _MARGIN_SECONDS)
            self._cut()

    def _cut(self) -> None:
        # A source that asks a server can hang; who comes meanwhile leaves its part to the next.
        if not self._busy.acquire(blocking=False):
            return
        try:
            interval = self._cut_source(self._period)
        finally:
            self._busy.release()
        if interval is not None:
            interval.stage = self._stage
            self._take(interval)
