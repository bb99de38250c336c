"""Users whose work begins when it is due, on the real database, in this process."""

from locust import constant, task
from locust.env import Environment
from locust.event import Events

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import gevent.pool
import pytest
from sqlalchemy import URL, text

from loadtest.load import PoolUser
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.users.arrivals import Arrivals
from loadtest.load.users.pool_user import note_error
from loadtest.model.pool import PoolConfig
from loadtest.pool.checkout_batch import clock
from loadtest.runfile.reader import read_run
from tests.processes import run_locust, until

pytestmark = pytest.mark.server
SECOND = 1_000_000_000
SCENARIOS = Path(__file__).parent.parent / "findings" / "scenarios"


class Working(PoolUser):
    """Says when each of its tasks began, and would rest for an hour after it."""

    abstract = True
    wait_time = constant(3600)

    def on_start(self) -> None:
        self.begun: list[int] = []
        with self.session("sign in") as session:
            session.execute(text("SELECT 1"))

    def work_slowly(self) -> None:
        self.begun.append(clock())
        with self.session("work") as session:
            session.execute(text("SELECT SLEEP(0.2)"))


class Slow(Working):
    """One session of a fifth of a second."""

    @task
    def work(self) -> None:
        self.work_slowly()


class Twice(Working):
    """Two sessions in one task."""

    @task
    def work(self) -> None:
        self.work_slowly()
        with self.session("after") as session:
            session.execute(text("SELECT 1"))


class Nested(Working):
    """A session in a session, from the beginning."""

    @task
    def work(self) -> None:
        self.begun.append(clock())
        with self.session("outer") as session:
            session.execute(text("SELECT SLEEP(0.2)"))
            with self.session("inner"):
                session.execute(text("SELECT 1"))


class Careless(Working):
    """Fails before it has a session."""

    @task
    def work(self) -> None:
        self.begun.append(clock())
        gevent.sleep(0.2)
        raise ZeroDivisionError("on purpose")


class Leaving(Slow):
    """Signs out at the end."""

    def on_stop(self) -> None:
        with self.session("sign out") as session:
            session.execute(text("SELECT 1"))


class Scene:
    """One user of this process who follows arrivals; what was recorded and fired."""

    def __init__(self, target: EngineUnderTest) -> None:
        self.target, self.recorder = target, target.recorder
        self.fired: list[dict[str, Any]] = []
        self._group = gevent.pool.Group()

    def run(self, cls: type[Working], *due: float, tasks: int) -> Working:
        """The user after a number of tasks; arrivals are due at these seconds from now."""
        environment = Environment(user_classes=[cls], events=Events())
        environment.loadtest = SimpleNamespace(target=self.target)
        environment.events.request.add_listener(lambda **fired: self.fired.append(fired))
        environment.events.user_error.add_listener(note_error)
        self.target.arrivals = Arrivals(iter(due), drop_after=60)
        self.target.arrivals.start()
        self.due = [self.target.arrivals._begun + round(seconds * SECOND) for seconds in due]
        user = cls(environment)
        user.start(self._group)
        until(lambda: gevent.sleep(0.01) or self._ended(user) >= tasks, "the tasks to end")
        user.stop()
        self._group.join(timeout=10)
        assert user.greenlet.dead
        return user

    def _ended(self, user: Working) -> int:
        resting = user._state == "waiting" and not self.recorder.tasks
        return len(getattr(user, "begun", ())) if resting else 0

    def times(self, name: str) -> list[float]:
        """How long the sessions of a name took, as Locust was told (s)."""
        return [fired["response_time"] / 1000 for fired in self.fired if fired["name"] == name]


def options(rate: float, drop_after: float) -> Namespace:
    given = {"arrival_rate": rate, "arrivals": "even", "drop_after": drop_after, "stages": ""}
    return Namespace(seed=1, rate_shared_by=1, prefill=False, warmup="0s", **given)


@pytest.fixture
def scene(url: URL) -> Iterator[Scene]:
    pool = PoolConfig(pool_size=1, max_overflow=0, pool_timeout=5)
    target = EngineUnderTest(url, pool, options(1.0, drop_after=1.0), tls=False, process="here")
    yield Scene(target)
    target.close()


def test_the_first_task_waits_for_the_first_arrival(scene: Scene) -> None:
    user = scene.run(Slow, 0.5, tasks=1)

    assert user.begun[0] >= scene.due[0]
    (lag,) = scene.recorder.schedule_lags
    assert user.begun[0] - scene.due[0] <= lag


def test_what_a_scenario_does_at_the_start_is_done_before_and_follows_no_schedule(
    scene: Scene,
) -> None:
    scene.run(Slow, 1.0, tasks=1)

    assert [fired["name"] for fired in scene.fired] == ["sign in", "work"]
    assert len(scene.recorder.schedule_lags) == 1
    assert scene.times("sign in") == pytest.approx([scene.recorder.requests[0] / 1e9])


def test_what_a_scenario_does_at_the_end_is_not_what_was_due_next(scene: Scene) -> None:
    scene.run(Leaving, 0, 60, tasks=1)

    assert [fired["name"] for fired in scene.fired] == ["sign in", "work", "sign out"]
    assert len(scene.recorder.schedule_lags) == 1


def test_the_time_of_a_request_counts_from_when_it_was_due(scene: Scene) -> None:
    user = scene.run(Slow, 0, 0, 0, tasks=3)

    lags = scene.recorder.schedule_lags
    assert lags == sorted(lags)
    for number, (lag, elapsed) in enumerate(zip(lags, scene.times("work"), strict=True)):
        assert lag / 1e9 >= 0.2 * number
        assert lag / 1e9 + 0.2 <= elapsed
        assert lag >= user.begun[number] - scene.due[number]
    assert [round(time * 1e9) for time in scene.times("work")] == scene.recorder.requests[1:]


def test_a_scenarios_own_pauses_are_replaced(scene: Scene) -> None:
    user = scene.run(Slow, 0.1, 0.6, tasks=2)

    assert [begun >= due for begun, due in zip(user.begun, scene.due, strict=True)] == [True] * 2


def test_only_the_first_of_two_sessions_in_a_task_was_due(scene: Scene) -> None:
    scene.run(Twice, 0, 0, tasks=2)

    first, second = scene.recorder.schedule_lags
    assert second - first >= 0.2 * SECOND
    assert scene.times("work")[1] >= second / 1e9 + 0.2
    assert max(scene.times("after")) < scene.times("work")[1]


def test_of_sessions_in_each_other_the_outer_one_was_due(scene: Scene) -> None:
    scene.run(Nested, 0, 0, tasks=2)

    assert len(scene.recorder.schedule_lags) == 2
    (_, outer), (_, inner) = scene.times("outer"), scene.times("inner")
    assert outer >= scene.recorder.schedule_lags[1] / 1e9 + 0.2
    assert inner < outer - 0.2


def test_a_task_that_fails_before_its_session_took_as_long_as_it_was_due(scene: Scene) -> None:
    scene.run(Careless, 0, 0, tasks=2)

    (first, kind), (second, _) = scene.recorder.failures
    assert kind == "other"
    assert first >= 0.2 * SECOND
    assert second >= 0.4 * SECOND
    assert len(scene.recorder.schedule_lags) == 2


def test_the_recorder_counts_arrivals_whether_they_were_taken_or_not(url: URL) -> None:
    given = options(100.0, drop_after=0.1)
    target = EngineUnderTest(url, PoolConfig(), given, tls=False, process="here")
    target.start()
    gevent.sleep(0.5)
    interval = target.recorder.cut("measured")
    target.close()

    arrived, dropped = interval.counters["arrivals"], interval.counters["dropped"]
    assert arrived == pytest.approx(interval.length / SECOND * 100, abs=15)
    assert arrived - dropped == pytest.approx(10, abs=2)  # those of the last tenth of a second


def test_users_who_never_had_anything_to_do_end_at_once_and_without_a_word(
    tmp_path: Path, url: URL
) -> None:
    path = tmp_path / "run.jsonl"
    arguments = ("-f", SCENARIOS / "query.py", "--headless", "--only-summary", "-t", "2s")
    load = ("--arrival-rate", 2, "--arrivals", "even", "--stop-timeout", 60, "--results", path)
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}

    ended = run_locust(tmp_path / "log", *arguments, *load, env=environment)

    assert ended.wait() == 0, ended.output
    run = read_run(path)
    assert run.header.load.users == 100  # as many as there are at least
    assert run.header.load.spawn_rate == 100
    assert 0 < sum(interval.counters["requests"] for interval in run.intervals) <= 4
    drained = sum(interval.length for interval in run.intervals if interval.period == "drain")
    assert drained < 30 * SECOND
    assert "Traceback" not in ended.output
    assert "ERROR" not in ended.output
    assert "StopUser" not in ended.output
