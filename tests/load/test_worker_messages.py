"""What a master knows of its workers, from the messages that they send."""

from __future__ import annotations

from locust.env import Environment

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.load.workers import protocol as of_workers
from loadtest.load.workers.protocol import (
    ANSWER,
    CLOCK,
    END,
    INTERVAL,
    LAST,
    QUESTION,
    REFUSAL,
    Master,
    Workers,
)
from loadtest.model.errors import LoadtestError
from loadtest.model.interval import Interval
from loadtest.pool.recorder import Recorder


class Clients:
    """Locust's list of the workers, by what they are doing."""

    def __init__(self) -> None:
        self.ready: list[Any] = []
        self.running: list[Any] = []
        self.missing: list[Any] = []

    @property
    def all(self) -> list[Any]:
        return [*self.ready, *self.running]


class Scene:
    """A master without a network: what workers say is handed in, what it says is kept."""

    def __init__(self, *names: str) -> None:
        self.environment, self.clients = Environment(), Clients()
        self.clients.running = [SimpleNamespace(id=name) for name in names]
        self.heard: dict[str, Callable[..., None]] = {}
        self.sent: list[tuple[str, Any, str]] = []
        self.taken: list[Interval] = []
        self.refused: list[LoadtestError] = []
        self.workers = Workers(self, self.taken.append, self.refused.append)
        self.environment.events.test_start.fire(environment=self.environment)

    def register_message(self, kind: str, listener: Callable[..., None]) -> None:
        self.heard[kind] = listener

    def send_message(self, kind: str, data: Any = None, client_id: str = "") -> None:
        self.sent.append((kind, data, client_id))

    def hear(self, name: str, kind: str, data: Any) -> None:
        message = SimpleNamespace(node_id=name, data=data)
        self.heard[kind](environment=self.environment, msg=message)

    def interval(self, name: str, second: int = 1) -> None:
        self.hear(name, INTERVAL, Interval(second, f"host:{name}").to_json())

    def states(self) -> dict[str, str]:
        return {fact["process"]: fact["state"] for fact in self.workers.facts()}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_workers, "LAST_SECONDS", 0.1)


def test_intervals_that_a_worker_sent_and_that_never_came_are_lost() -> None:
    master = Scene("a", "b")
    for name, sent in (("a", 2), ("b", 3)):
        master.interval(name, 1)
        master.interval(name, 2)
        master.hear(name, LAST, {"intervals": sent})
    master.workers.end(0)

    assert [one.process for one in master.taken] == ["host:a", "host:a", "host:b", "host:b"]
    assert master.states() == {"host:a": "ended", "host:b": "ended"}
    told = [(fact["intervals"], fact["lost"]) for fact in master.workers.facts()]
    assert told == [(2, 0), (2, 1)]
    assert [(kind, to) for kind, _, to in master.sent if kind == END] == [(END, "a"), (END, "b")]
    assert not master.workers.all_lost


def test_a_worker_whose_last_interval_never_came_is_silent_or_has_no_heartbeat(
    caplog: pytest.LogCaptureFixture,
) -> None:
    master = Scene("a", "b", "c")
    for name in "abc":
        master.interval(name)
    master.hear("a", LAST, {"intervals": 1})
    master.clients.missing = [client for client in master.clients.running if client.id == "b"]
    master.workers.end(0)

    assert master.states() == {"host:a": "ended", "host:b": "no heartbeat", "host:c": "silent"}
    assert [fact["lost"] for fact in master.workers.facts()] == [0, None, None]
    assert not master.workers.all_lost
    assert [record.getMessage() for record in caplog.records] == [
        f"The last interval of worker host:{name} is missing" for name in "bc"
    ]


def test_a_worker_whose_start_is_still_on_its_way_is_awaited() -> None:
    master = Scene()
    master.clients.ready = [SimpleNamespace(id="a")]

    def begin_and_end(kind: str, data: Any = None, client_id: str = "") -> None:
        master.interval(client_id)
        master.hear(client_id, LAST, {"intervals": 1})

    master.send_message = begin_and_end  # type: ignore[method-assign]
    master.workers.end(0)

    assert master.states() == {"host:a": "ended"}


def test_all_are_lost_where_none_came_to_its_end() -> None:
    master = Scene("a", "b")
    assert not master.workers.all_lost, "there was none yet"
    master.interval("a")
    master.interval("b")
    master.clients.missing = [client for client in master.clients.running if client.id == "b"]
    master.workers.end(0)

    assert master.workers.all_lost


def test_a_worker_that_refuses_ends_the_run_with_its_own_words() -> None:
    master = Scene("a")
    master.hear("a", REFUSAL, {"text": "no room", "code": 2})

    (error,) = master.refused
    assert (str(error), error.exit_code) == ("worker a: no room", 2)


def test_a_worker_that_asks_for_the_time_is_told() -> None:
    master = Scene("a")
    master.hear("a", QUESTION, {"asked": 7})

    ((kind, answer, to),) = master.sent
    assert (kind, to, answer["asked"]) == (ANSWER, "a", 7)
    assert answer["heard"] <= answer["answered"]


def test_what_a_worker_knows_of_its_clock_stands_in_the_footer() -> None:
    master = Scene("a", "b")
    master.hear("a", CLOCK, {"process": "host:a", "ahead": 3_300_000_000, "round_trip": 2_000_000})
    master.hear("b", CLOCK, {"process": "host:b", "ahead": None})

    told = [
        (fact["process"], fact["clock_ahead_seconds"], fact["round_trip_seconds"])
        for fact in master.workers.facts()
    ]
    assert told == [("host:a", 3.3, 0.002), ("host:b", None, None)]


def test_the_next_run_knows_nothing_of_the_last_one() -> None:
    master = Scene("a")
    master.interval("a")
    master.environment.events.test_start.fire(environment=master.environment)

    assert master.workers.facts() == []


class Worker:
    """A worker without a network: what it says is kept."""

    def __init__(self) -> None:
        self.environment = Environment(stop_timeout=10)
        self.heard: dict[str, Callable[..., None]] = {}
        self.sent: list[tuple[str, Any]] = []
        self.stops = 0
        self.master = Master(self, "host:1")

    def register_message(self, kind: str, listener: Callable[..., None], **_: Any) -> None:
        self.heard[kind] = listener

    def stop(self) -> None:
        self.stops += 1

    def send_message(self, kind: str, data: Any) -> None:
        self.sent.append((kind, data))
        if kind == QUESTION:
            answer = {"asked": data["asked"], "heard": data["asked"], "answered": data["asked"]}
            self.heard[ANSWER](msg=SimpleNamespace(data=answer))

    def send(self, *seconds: int) -> None:
        for second in seconds:
            self.master._send(Interval(second, "host:1"))


def test_a_worker_says_how_many_intervals_it_sent_and_is_there_for_the_next_run() -> None:
    worker = Worker()
    worker.send(1, 2)
    worker.master.last()

    assert [kind for kind, _ in worker.sent] == [INTERVAL, INTERVAL, LAST]
    assert worker.sent[-1][1] == {"intervals": 2}
    assert worker.environment.stop_timeout == 0


def test_a_worker_without_a_start_reports_its_end_at_once() -> None:
    worker = Worker()
    worker.heard[END]()

    assert worker.sent == [(LAST, {"intervals": 0})]
    assert worker.stops == 1


def test_a_worker_that_has_begun_reports_its_end_after_its_users_have_ended() -> None:
    worker = Worker()
    worker.master.begin(Recorder("host:1"), 0.0, ()).stop()
    worker.sent.clear()
    worker.heard[END]()

    assert LAST not in [kind for kind, _ in worker.sent]
    assert worker.stops == 1
