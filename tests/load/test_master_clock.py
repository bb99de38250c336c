"""What a worker knows of its master's clock."""

from collections.abc import Iterator

import gevent
import pytest

from loadtest.load.workers.master_clock import QUESTIONS, MasterClock, Sample

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


def test_the_offset_is_that_of_ntp_and_the_round_trip_leaves_out_the_answering() -> None:
    # Ahead by 100; 10 there, 30 back, 5 to answer: half of the difference is the error.
    sample = Sample.of(asked=1000, heard=1110, answered=1115, received=1045)
    assert sample == Sample(round_trip=40, ahead=90)
    assert abs(sample.ahead - 100) <= sample.round_trip / 2


class Wall:
    """A worker's wall clock that a test moves, and a master that is ahead by three seconds."""

    def __init__(self, delays: Iterator[int]) -> None:
        self.now, self._delays = 1_000 * SECOND, delays
        self.clock = MasterClock(self.answer)

    def answer(self, asked: int) -> None:
        there, back = next(self._delays), next(self._delays)
        heard = asked + there + 3 * SECOND
        self.now += there + back
        self.clock.hear(asked, heard, heard)


def wall(monkeypatch: pytest.MonkeyPatch, *delays: int) -> Wall:
    made = Wall(iter(delays))
    monkeypatch.setattr("time.time_ns", lambda: made.now)
    monkeypatch.setattr("time.time", lambda: made.now / SECOND)
    return made


def test_the_answer_that_was_on_its_way_for_least_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = [40 * MILLISECOND, 2 * MILLISECOND] * (QUESTIONS - 1)
    made = wall(monkeypatch, *slow[:6], MILLISECOND, MILLISECOND, *slow[6:])
    told: list[int] = []
    made.clock.ask(lambda: told.append(made.clock.correction()))
    assert made.clock.correction() == 3 * SECOND
    assert made.clock.best == Sample(2 * MILLISECOND, 3 * SECOND)
    assert made.clock.now() == made.now / SECOND + 3
    gevent.sleep(0)
    assert told == [3 * SECOND]


def test_what_was_used_does_not_change_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    made = wall(monkeypatch, *[MILLISECOND] * 2 * QUESTIONS)
    made.clock.ask(lambda: None)
    before = made.clock.correction()
    made.clock.hear(made.now, made.now + SECOND, made.now + SECOND)
    assert made.clock.correction() == before


def test_the_next_run_asks_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    made = wall(monkeypatch, *[MILLISECOND] * 2 * QUESTIONS, *[0, 4 * MILLISECOND] * QUESTIONS)
    for expected in (3 * SECOND, 3 * SECOND - 2 * MILLISECOND):
        made.clock.ask(lambda: None)
        assert made.clock.correction() == expected


def test_without_an_answer_the_own_clock_is_used() -> None:
    clock = MasterClock(lambda asked: None)
    clock.ask(lambda: None)
    assert clock.correction() == 0
    assert clock.best is None


def test_a_question_that_cannot_be_sent_does_not_hold_up_the_run() -> None:
    def refuse(asked: int) -> None:
        raise ConnectionError("no network")

    clock = MasterClock(refuse)
    clock.ask(lambda: None)
    assert clock.correction() == 0
