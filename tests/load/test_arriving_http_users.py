"""Users without a session begin their tasks when arrivals are due."""

from locust import User, constant, task
from locust.env import Environment
from locust.event import Events

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.pool import Group

from loadtest.load.users import arriving_users
from loadtest.load.users.arrivals import Arrivals
from loadtest.load.users.arriving_users import ArrivingUsers, begin_of, notice_new_users
from loadtest.load.users.request_log import RequestLog
from loadtest.pool.recorder import Recorder
from tests.processes import until

SECOND = 1_000_000_000
ANSWERS_AFTER = 0.02


class Visitor(User):
    """Sends a request in each task, and would rest for an hour after it."""

    abstract = True
    wait_time = constant(3600)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.done = 0

    def send(self, name: str) -> None:
        begun, start = time.perf_counter(), time.time()
        gevent.sleep(ANSWERS_AFTER)
        self.environment.events.request.fire(
            request_type="GET",
            name=name,
            response_time=(time.perf_counter() - begun) * 1000,
            response_length=0,
            exception=None,
            context={},
            start_time=start,
        )


class Scene:
    """One visitor that follows arrivals; what was recorded and fired."""

    def __init__(self) -> None:
        self.recorder = Recorder("here")
        self.fired: list[dict[str, Any]] = []
        self.users = Group()

    def begin(self, cls: type[Visitor], *due: float, drop_after: float = 60) -> Visitor:
        """A new visitor; arrivals are due at these seconds from now."""
        environment = Environment(user_classes=[cls], events=Events())
        self.arrivals = arrivals = Arrivals(iter(due), drop_after)
        log, arriving = RequestLog(self.recorder), ArrivingUsers(arrivals, None)
        log.late = arriving.late
        environment.events.request.add_listener(log.hear)
        environment.events.request.add_listener(lambda **fired: self.fired.append(fired))
        notice_new_users([cls], arriving.add)
        arrivals.start()
        self.due = [arrivals._begun + round(seconds * SECOND) for seconds in due]
        user = cls(environment)
        user.start(self.users)
        return user

    def run(self, cls: type[Visitor], *due: float, tasks: int) -> Visitor:
        """A visitor that has ended after a number of tasks."""
        user = self.begin(cls, *due)
        until(lambda: gevent.sleep(0.01) or user.done >= tasks, "the tasks to end")
        user.stop()
        self.users.join(timeout=60)
        assert user.greenlet.dead
        return user

    @property
    def names(self) -> list[str]:
        return [fired["name"] for fired in self.fired]

    def times(self, name: str) -> list[int]:
        """How long Locust was told that the requests of a name took (ns)."""
        return [round(one["response_time"] * 1e6) for one in self.fired if one["name"] == name]


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.users.kill()


def test_the_time_of_a_request_counts_from_when_it_was_due(scene: Scene) -> None:
    class Once(Visitor):
        @task
        def look(self) -> None:
            self.send("/rows")
            self.done += 1

    scene.run(Once, 0, 0, 0, tasks=3)

    lags, requests = scene.recorder.schedule_lags, scene.recorder.requests
    assert len(lags) == 3
    assert all(lag >= number * ANSWERS_AFTER * SECOND for number, lag in enumerate(lags))
    told = zip(scene.times("/rows"), lags, strict=True)
    assert requests == [elapsed + lag for elapsed, lag in told]


def test_the_first_task_waits_for_the_first_arrival(scene: Scene) -> None:
    begun: list[int] = []

    class Early(Visitor):
        @task
        def look(self) -> None:
            begun.append(arriving_users.clock())
            self.done += 1

    scene.run(Early, 0.2, tasks=1)

    assert begun[0] >= scene.due[0] - SECOND // 1000


def test_requests_before_and_after_the_tasks_follow_no_schedule(scene: Scene) -> None:
    class Leaving(Visitor):
        def on_start(self) -> None:
            self.send("/in")

        @task
        def look(self) -> None:
            self.send("/rows")
            self.done += 1

        def on_stop(self) -> None:
            self.send("/out")

    scene.run(Leaving, 0, 3600, tasks=1)

    assert scene.names == ["/in", "/rows", "/out"]
    (lag,) = scene.recorder.schedule_lags
    signed_in, looked, signed_out = scene.recorder.requests
    assert [signed_in, signed_out] == [*scene.times("/in"), *scene.times("/out")]
    assert looked == scene.times("/rows")[0] + lag


def test_only_the_first_request_of_a_task_was_due(scene: Scene) -> None:
    class Twice(Visitor):
        @task
        def look(self) -> None:
            self.send("/first")
            self.send("/second")
            self.done += 1

    scene.run(Twice, 0, 0, tasks=2)

    assert len(scene.recorder.schedule_lags) == 2
    assert scene.recorder.requests[1::2] == scene.times("/second")


def test_a_request_of_a_helper_counts_without_a_lag(scene: Scene) -> None:
    class Helped(Visitor):
        @task
        def look(self) -> None:
            gevent.spawn(self.send, "/helped").join()
            self.done += 1

    scene.run(Helped, 0, 0, tasks=2)

    assert scene.recorder.schedule_lags == []
    assert scene.recorder.requests == scene.times("/helped")


def test_a_visitor_without_an_arrival_ends_at_once(scene: Scene) -> None:
    class Idle(Visitor):
        @task
        def look(self) -> None:
            self.done += 1

    user = scene.begin(Idle, 3600)
    gevent.sleep(0)
    assert gevent.spawn(user.stop).get(timeout=60) is True
    assert user.greenlet.dead
    assert user.done == 0


def test_an_arrival_that_finds_no_free_visitor_is_dropped(scene: Scene) -> None:
    class Slow(Visitor):
        @task
        def look(self) -> None:
            self.send("/rows")
            self.done += 1

    scene.begin(Slow, 0, 0, 0, 0, drop_after=1.5 * ANSWERS_AFTER)

    def count() -> int:
        gevent.sleep(0.01)
        return len(scene.recorder.schedule_lags) + scene.arrivals.dropped()

    until(lambda: count() == 4, "each arrival to be answered or dropped")
    assert scene.arrivals.dropped() >= 2
    assert scene.arrivals.arrived() == 4


@pytest.mark.parametrize(("start_time", "begun"), [(1_000_003.0, 3.0), (None, 8.5)])
def test_a_request_began_before_its_answer_and_the_block_that_checks_it(
    monkeypatch: pytest.MonkeyPatch, start_time: float | None, begun: float
) -> None:
    """Answered after half a second; the block around it ends at 9 s."""
    monkeypatch.setattr(arriving_users, "clock", lambda: 9 * SECOND)
    monkeypatch.setattr(arriving_users, "time", SimpleNamespace(time=lambda: 1_000_009.0))
    assert begin_of(SECOND // 2, start_time) == begun * SECOND


def test_each_new_user_is_noticed_once_when_it_is_whole() -> None:
    class First(User):
        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            self.basket = 0

        @task
        def look(self) -> None:
            """Do nothing."""

    class Second(First):
        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            self.name = "second"

    class Third(First):
        """It inherits how it is made."""

    noticed: list[Any] = []
    notice_new_users([First, Second, Third], noticed.append)
    environment = Environment(user_classes=[First, Second, Third], events=Events())
    made = [cls(environment) for cls in (First, Second, Third)]

    assert noticed == made
    assert made[1].name == "second"
