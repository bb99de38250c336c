"""The load lasts for the run time, whatever the time until it begins."""

from __future__ import annotations

from types import SimpleNamespace

import gevent
import gevent.event
import pytest

from loadtest.load import run
from loadtest.load.run import RunUnderWay
from loadtest.model.end_reason import End, EndReason


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(run, "time", made)
    return made


def begun(clock: Clock, limit: int | None = 10) -> RunUnderWay:
    """A run that is measured; its load began 1.5 s after the clock of its time limit."""
    options = SimpleNamespace(parsed_options=SimpleNamespace(run_time=limit))
    made = RunUnderWay(options, lambda _: None, lambda _: None)
    clock.now = 1.5
    made.under_way = True
    made.begin_load()
    return made


def test_at_the_time_limit_the_rest_of_the_load_is_left(clock: Clock) -> None:
    made = begun(clock)
    clock.now = 10.0
    assert (made.time_is_up, made.rest_of_load) == (True, 1.5)
    clock.now = 11.5
    assert made.rest_of_load == 0


def test_a_run_that_ends_for_another_reason_ends_at_once(clock: Clock) -> None:
    made = begun(clock)
    clock.now = 5.0
    assert (made.time_is_up, made.rest_of_load) == (False, 0)
    clock.now = 10.0
    made.end = End(EndReason.FAILED, "the disk is full")
    assert made.rest_of_load == 0
    made = begun(clock)
    made.under_way = False
    clock.now = 12.0
    assert made.rest_of_load == 0


def test_a_run_without_a_limit_has_no_rest(clock: Clock) -> None:
    made = begun(clock, None)
    clock.now = 99.0
    assert (made.time_is_up, made.rest_of_load) == (False, 0)


def test_a_run_that_is_being_closed_is_closed_only_at_the_end_of_all_steps(clock: Clock) -> None:
    made, done, goes_on = begun(clock), [], gevent.event.Event()

    def last_interval() -> None:
        goes_on.wait()
        done.append("last interval")

    def locust_exits() -> None:
        made.close()
        done.append("exit")

    made.at_end(last_interval)
    closing = gevent.spawn(made.close)
    gevent.sleep()
    exiting = gevent.spawn(locust_exits)
    gevent.sleep()
    goes_on.set()
    gevent.joinall([closing, exiting])
    assert done == ["last interval", "exit"]
