"""A wall clock that is set in the middle of a run: nothing is lost, counted twice or misdated."""

from __future__ import annotations

from locust.env import Environment

import itertools
import time
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from sqlalchemy import URL

from loadtest.database.server_status import ServerStatus
from loadtest.experiment.faults import schedule
from loadtest.experiment.faults.schedule import FaultSchedule
from loadtest.load import ticker
from loadtest.load.ticker import Ticker
from loadtest.load.workers.protocol import Workers
from loadtest.model.fault import parse_fault
from loadtest.model.interval import Interval, total
from loadtest.pool import recorder
from loadtest.pool.recorder import Recorder
from tests.processes import until

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class Clocks:
    """A wall clock that is set, and a monotonic clock (both in ns)."""

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


def test_an_interruption_while_the_clocks_are_read_is_no_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clocks = Clocks(monkeypatch)
    made = recorder.Recorder()
    pauses, read = [SECOND], recorder.time.time_ns

    def interrupted() -> int:
        wall = read()
        clocks.now += pauses.pop() if pauses else 0
        return wall

    monkeypatch.setattr(recorder.time, "time_ns", interrupted)
    assert made.cut("measured").counters["clock_step"] == 0
    assert not pauses


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


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps (s) of this process's wall clock: what is put in has happened."""
    made: list[int] = []
    seconds, nanoseconds = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: seconds() + sum(made))
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds() + sum(made) * SECOND)
    return made


def test_a_fault_is_told_by_the_clock_that_its_seconds_go_by(
    monkeypatch: pytest.MonkeyPatch, steps: list[int]
) -> None:
    def switch(broken: bool) -> None:
        if broken:
            steps.append(3600)

    monkeypatch.setattr(schedule, "killing", lambda *_: switch)
    nobody = URL.create("mysql+pymysql", "u", "p", "127.0.0.1", 1, "d")
    began, due = time.time(), [parse_fault("kill@0s"), parse_fault("kill@1s")]
    with FaultSchedule(due, nobody, None).provoked(began) as happened:
        until(lambda: all("end" in told for told in happened), "both faults")

    for told, at in zip(happened, (0, 1), strict=True):
        assert at <= told["begin"] - began <= told["end"] - began < 600


@pytest.mark.server
def test_the_servers_seconds_stay_beside_those_of_users(url: URL, steps: list[int]) -> None:
    began, status = time.time(), ServerStatus(url)
    status.sample("measured")
    found = []
    for step in (3600, -7200):
        steps.append(step)
        found.append(status.sample("measured"))
    status.close()

    assert all(part and abs(part.second - began) < 600 for part in found)


def test_a_masters_clock_makes_no_workers_report_late(steps: list[int]) -> None:
    environment, taken = Environment(), list[Interval]()
    runner: Any = SimpleNamespace(environment=environment, register_message=lambda *_: None)
    workers = Workers(runner, taken.append, pytest.fail)
    environment.events.test_start.fire(environment=environment)
    now = int(time.time())
    steps.append(3600)
    for second in (now - 1, now):
        part = Interval(second, "p", length=SECOND).to_json()
        workers._on_interval(environment, SimpleNamespace(node_id="w", data=part))

    assert len(taken) == 2
    assert workers.known["w"].latest_seconds < 600
