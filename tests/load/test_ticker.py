"""Which period and stage an interval is of, however long it takes to cut it."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from loadtest.load.ticker import Ticker
from loadtest.model.interval import Interval, Period
from loadtest.model.load import parse_stages


class Slow:
    """A ticker whose source answers when a test lets it, and the intervals that it gave out."""

    def __init__(self, warmup: float = 5.0) -> None:
        self.answer = Event()
        self.answer.set()
        self.taken: list[Interval] = []
        stages = parse_stages("calm=5s:1/s,rush=5s:9/s,rest=5s:1/s")
        self.ticker = Ticker(self._cut, self.taken.append, warmup, stages)
        gevent.killall(self.ticker._greenlets)  # a test says when it cuts

    def _cut(self, period: Period) -> Interval:
        self.answer.wait()
        return Interval(len(self.taken), period=period)

    def cut(self) -> None:
        """Cut where a second ends."""
        self.ticker._cut(self.ticker._part)

    def hang(self) -> gevent.Greenlet:
        """Cut where a second ends, and get no answer yet."""
        self.answer.clear()
        return self._waiting(self.cut)

    def enter(self, period: Period, stage: str = "") -> gevent.Greenlet:
        """Begin another part, while another cut may hang."""
        return self._waiting(self.ticker.enter, period, stage)

    def _waiting(self, function: object, *arguments: str) -> gevent.Greenlet:
        greenlet = gevent.spawn(function, *arguments)
        gevent.sleep(0)
        return greenlet

    def told(self, *greenlets: gevent.Greenlet) -> list[tuple[Period, str]]:
        """Let the source answer, cut once more: what the intervals are of."""
        self.answer.set()
        gevent.joinall(greenlets, raise_error=True)
        self.cut()
        return [(interval.period, interval.stage) for interval in self.taken]


def test_intervals_are_of_the_part_that_they_are_cut_in() -> None:
    slow = Slow()
    slow.cut()
    slow.enter("measured", "calm").get()
    slow.enter("measured", "rush").get()
    assert slow.told(slow.enter("drain")) == [
        ("warmup", ""),
        ("warmup", ""),
        ("measured", "calm"),
        ("measured", "rush"),
        ("drain", ""),
    ]


def test_an_answer_that_comes_in_the_first_stage_is_of_the_warm_up() -> None:
    slow = Slow()
    hanging = slow.hang()
    slow.enter("measured", "calm").get()
    assert slow.told(hanging) == [("warmup", ""), ("measured", "calm")]


def test_an_interval_of_two_stages_is_of_neither() -> None:
    slow = Slow(warmup=0)
    hanging = slow.hang()
    slow.enter("measured", "rush").get()
    assert slow.told(hanging) == [("measured", ""), ("measured", "rush")]


def test_an_answer_that_comes_after_the_load_has_ended_is_not_of_the_measured_time() -> None:
    slow = Slow(warmup=0)
    hanging = slow.hang()
    slow.enter("drain").get()
    assert slow.told(hanging) == [("drain", ""), ("drain", "")]


@pytest.mark.parametrize("hangs", [False, True])
def test_a_stage_that_passes_while_an_answer_is_awaited_does_not_come_back(hangs: bool) -> None:
    slow = Slow(warmup=0)
    slow.answer.clear()
    waiting = [slow.hang()] if hangs else []
    waiting += [slow.enter("measured", "rush"), slow.enter("measured", "rest")]
    assert slow.told(*waiting) == [("measured", ""), ("measured", "rest")]
