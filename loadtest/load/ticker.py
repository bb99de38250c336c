"""The clock of a run: it cuts intervals at every UTC second and at the end of a period."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import gevent

from loadtest.model.interval import Interval, Period
from loadtest.model.load import Stage, stage_begins

# Waking a little late, not early, keeps seconds whole.
_MARGIN_SECONDS = 0.0005

Part = tuple[Period, str]
"""A part of a run: its period, and its stage (empty without stages)."""


class Ticker:
    """Cuts one source into intervals and passes them on, until it is stopped.

    cut: returns the interval since its last call, or None. take: receives the intervals. stages:
    the stages of the measured time, which begins after the warm-up (s). clock: the time in seconds;
    for a worker, its master's.
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
        parts = [(warmup + begin, name) for begin, name in stage_begins(stages) or [(0.0, "")]]
        self._part: Part = ("warmup", "") if warmup else ("measured", parts[0][1])
        # The parts that the cut in progress covers; None without a cut.
        self._covered: list[Part] | None = None
        self._greenlets = [gevent.spawn(self._run)]
        self._greenlets += [
            gevent.spawn_later(at, self.enter, "measured", name) for at, name in parts if at
        ]

    def enter(self, period: Period, stage: str = "") -> None:
        """End the current period and stage here."""
        before, self._part = self._part, (period, stage)
        if self._covered is None:
            self._cut(before)
        else:
            self._covered.append(self._part)

    def stop(self) -> None:
        """Cut the rest and stop."""
        gevent.killall(self._greenlets)
        self._cut(self._part)

    def _run(self) -> None:
        while True:
            gevent.sleep(1 - self._clock() % 1 + _MARGIN_SECONDS)
            self._cut(self._part)

    def _cut(self, part: Part) -> None:
        # A source that queries a server can hang. Its interval then covers several due cuts.
        if self._covered is not None:
            return
        covered = self._covered = [part]
        try:
            interval = self._cut_source(part[0])
        finally:
            self._covered = None
        if interval is not None:
            interval.period, interval.stage = _together(covered)
            self._take(interval)


def _together(parts: Sequence[Part]) -> Part:
    """The period and stage of an interval: `measured`, and a stage, only where all parts agree."""
    periods, stages = ([*dict.fromkeys(each)] for each in zip(*parts, strict=True))
    outside = [period for period in periods if period != "measured"]
    return (outside or periods)[0], stages[0] if len(stages) == 1 else ""
