"""A wall clock that is set in the middle of a run: nothing is lost, counted twice or misdated."""

from __future__ import annotations

import itertools

import gevent
import pytest

from loadtest.interval import Interval, total
from loadtest.load import ticker
from loadtest.load.ticker import Ticker
from loadtest.pool import recorder
from loadtest.pool.recorder import Recorder

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class Clocks:
    """A wall clock that somebody sets, and one that only goes on (both in ns)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.step = 50 * SECOND, 0
        monkeypatch.setattr(recorder, "clock", lambda: self.now)
        monkeypatch.setattr(
            recorder.time, "time_ns", lambda: 1_800_000_000 * SECOND + self.now + self.step
        )


@pytest.mark.parametrize("step", [HOUR, -HOUR, -SECOND // 2, 90 * SECOND])
def test_seconds_go_on_as_they_began(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    clocks = Clocks(monkeypatch)
    one = Recorder("p")
    parts = []
    for number in range(10):
        clocks.now += SECOND
        clocks.step = step if number >= 4 else 0
        one.requests.append(5)
        parts.append(one.cut("measured"))

    assert [part.second for part in parts] == list(range(1_800_000_050, 1_800_000_060))
    assert [part.length for part in parts] == [SECOND] * 10
    assert total(parts).counters["requests"] == 10
    steps = [part.counters["clock_step"] for part in parts]
    assert steps == [abs(step) if number == 4 else 0 for number in range(10)]


def test_intervals_are_cut_whatever_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) > 6:
            raise gevent.GreenletExit

    wall = itertools.chain([100.25, 101.0005, 7301.4, 12.999, 13.0, -5.5], itertools.repeat(14.5))
    monkeypatch.setattr(ticker.gevent, "sleep", nap)
    taken: list[Interval] = []
    one = Ticker(lambda period: Interval(0, period=period), taken.append, 0, clock=wall.__next__)
    gevent.joinall(one._greenlets)

    assert len(taken) == 6
    assert all(0 < seconds <= 1.001 for seconds in naps)
