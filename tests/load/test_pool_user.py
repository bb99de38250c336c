"""What a user does with a session, on the real database, in this process."""

from locust import task
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.event import Events
from locust.exception import StopTest
from locust.user.task import LOCUST_STATE_WAITING

import json
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import gevent.pool
import pytest
from greenlet import getcurrent
from sqlalchemy import URL, select, text
from sqlalchemy.exc import InvalidRequestError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from loadtest.load import PoolUser
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.plugin import Plugin
from loadtest.load.setup.scenario_tables import prepare_tables
from loadtest.load.users.pool_user import end_again, note_error
from loadtest.model.pool import PoolConfig
from loadtest.runfile.reader import read_run
from tests.processes import until

pytestmark = pytest.mark.server


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "loadtest_test_users_row"
    id: Mapped[int] = mapped_column(primary_key=True)


class Person(PoolUser):
    metadata = Base.metadata

    @classmethod
    def fill(cls, session: Any, options: Any) -> None:
        session.add(Row(id=1))


class Scene:
    """A user of this process, its target, and the `request` events that it fires."""

    def __init__(self, target: EngineUnderTest) -> None:
        self.target = target
        self.environment = Environment(user_classes=[Person], events=Events())
        self.environment.loadtest = SimpleNamespace(target=target)
        self.requests: list[dict[str, Any]] = []
        self.environment.events.request.add_listener(lambda **fired: self.requests.append(fired))
        self.user = Person(self.environment)

    @property
    def checked_out(self) -> int:
        return self.target.engine.pool.checkedout()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def target(url: URL) -> Iterator[EngineUnderTest]:
    options = Namespace(arrival_rate=0.0, stages="", prefill=False, seed=1)
    prepare_tables(url, [Person], options)
    pool = PoolConfig(pool_size=1, max_overflow=0, pool_timeout=0.05)
    running = EngineUnderTest(url, pool, options, tls=False, process="here")
    yield running
    running.close()


@pytest.fixture
def scene(target: EngineUnderTest) -> Scene:
    return Scene(target)


def test_a_user_works_on_the_child_session_of_its_greenlet(scene: Scene) -> None:
    def other() -> Any:
        with scene.user.session("other") as session:
            return session

    with scene.user.session("mine") as session:
        assert session is scene.target.parent()
        assert gevent.spawn(other).get() is not session
        assert session is scene.target.parent()


def test_a_finished_task_is_fired_with_its_name_and_the_time_that_was_recorded(
    scene: Scene,
) -> None:
    with scene.user.session("look") as session:
        session.get_one(Row, 1)

    (fired,) = scene.requests
    (nanoseconds,) = scene.target.recorder.requests
    assert scene.target.recorder.failures == []
    assert fired["request_type"] == "session"
    assert fired["name"] == "look"
    assert fired["response_time"] == nanoseconds / 1e6
    assert fired["exception"] is None


def test_the_time_of_a_task_holds_all_of_its_block(scene: Scene) -> None:
    before = time.perf_counter()
    with scene.user.session("slow"):
        began = time.perf_counter()
        gevent.sleep(0.03)
        ended = time.perf_counter()
    after = time.perf_counter()

    seconds = scene.requests[0]["response_time"] / 1000
    assert ended - began <= seconds <= after - before


def test_the_connection_is_back_when_the_block_ends(scene: Scene) -> None:
    with scene.user.session("look") as session:
        session.get_one(Row, 1)
        assert scene.checked_out == 1

    assert scene.checked_out == 0
    assert not scene.target.parent.registry.has()


def test_an_error_passes_is_counted_by_kind_and_leaves_nothing_behind(scene: Scene) -> None:
    def divide() -> None:
        with scene.user.session("divide") as session:
            session.add(Row(id=2))
            session.flush()
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError) as raised:
        divide()

    assert scene.requests[0]["exception"] is raised.value
    assert [kind for _, kind in scene.target.recorder.failures] == ["other"]
    assert scene.checked_out == 0
    assert not scene.target.parent.registry.has()
    with scene.user.session("look") as session:
        assert session.scalars(select(Row.id)).all() == [1]


def test_a_session_within_a_session_leaves_nothing_behind(scene: Scene) -> None:
    with scene.user.session("outer") as outer:
        with scene.user.session("inner") as inner:
            assert inner is outer
            inner.get_one(Row, 1)
        assert scene.checked_out == 0
        outer.get_one(Row, 1)

    assert scene.checked_out == 0
    assert not scene.target.parent.registry.has()
    assert [request["name"] for request in scene.requests] == ["inner", "outer"]


def test_a_checkout_that_times_out_is_a_pool_timeout(scene: Scene) -> None:
    def wait() -> None:
        with scene.user.session("wait") as session:
            session.get_one(Row, 1)

    with scene.target.engine.connect(), pytest.raises(PoolTimeout):
        wait()

    assert [kind for _, kind in scene.target.recorder.failures] == ["pool_timeout"]
    assert scene.target.recorder.cut("measured").counters["timeouts"] == 1
    assert scene.checked_out == 0


def test_a_lost_connection_is_an_error_of_its_kind_and_the_next_task_has_a_new_one(
    scene: Scene, admin: Any
) -> None:
    def look_after_a_kill() -> None:
        with scene.user.session("killed") as session:
            number = session.scalar(text("SELECT CONNECTION_ID()"))
            with admin.connect() as connection:
                connection.execute(text(f"KILL {number}"))
            session.get_one(Row, 1)

    with pytest.raises(OperationalError):
        look_after_a_kill()

    assert scene.target.recorder.failures[0][1] in ("lost_during_query", "gone_away")
    assert scene.checked_out == 0
    with scene.user.session("look") as session:
        session.get_one(Row, 1)
    interval = scene.target.recorder.cut("measured")
    assert interval.counters["requests"] == 2
    assert interval.counters["failures"] == 1


def test_an_error_while_the_session_is_closed_is_a_failure_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(session: Session) -> None:
        raise InvalidRequestError("no")

    monkeypatch.setattr(Session, "close", refuse)
    with pytest.raises(InvalidRequestError) as raised, scene.user.session("close"):
        pass

    assert scene.requests[0]["exception"] is raised.value
    assert [kind for _, kind in scene.target.recorder.failures] == ["other"]
    assert not scene.target.parent.registry.has()


def test_a_killed_user_neither_succeeds_nor_fails_but_gives_its_connection_back(
    scene: Scene,
) -> None:
    def hold() -> None:
        with scene.user.session("hold") as session:
            session.get_one(Row, 1)
            gevent.sleep(3600)

    greenlet = gevent.spawn(hold)
    while not scene.checked_out:
        gevent.sleep(0.001)
    greenlet.kill()

    assert scene.requests == []
    assert scene.target.recorder.requests == scene.target.recorder.failures == []
    assert scene.target.recorder.tasks == {}
    assert scene.checked_out == 0


def test_the_recorder_knows_the_task_during_its_block_only(scene: Scene) -> None:
    tasks = scene.target.recorder.tasks
    assert tasks == {}
    with scene.user.session("named") as session:
        assert [task.name for task in tasks.values()] == ["named"]
        assert list(tasks) == [getcurrent()]
        session.get_one(Row, 1)
    assert tasks == {}
    with pytest.raises(KeyError), scene.user.session("failing"):
        raise KeyError
    assert tasks == {}

    (slowest,) = scene.target.recorder.cut("measured").slowest
    assert slowest.task == "named"


def test_a_name_that_two_scenarios_have_is_shown_with_the_scenario(scene: Scene) -> None:
    scene.target.request_names = {Person: {"look": "Person: look"}}
    for _ in range(2):  # the second time with the same object
        with scene.user.session("look") as session:
            session.get_one(Row, 1)
    with scene.user.session("other"):
        pass

    assert [fired["name"] for fired in scene.requests] == ["Person: look", "Person: look", "other"]
    interval = scene.target.recorder.cut("measured")
    assert interval.tasks["Person: look"].holds == 2
    assert "look" not in interval.tasks


def test_without_a_target_a_user_stops_instead_of_running() -> None:
    environment = Environment(user_classes=[Person], events=Events())
    environment.loadtest = SimpleNamespace(target=None)
    environment.parsed_options = Namespace(arrival_rate=0.0, stages="", prefill=False, seed=1)

    with pytest.raises(StopTest, match="this run was refused"):
        Person(environment).session("never")


class Eager(PoolUser):
    begun = ended = 0

    @task
    def begin(self) -> None:
        Eager.begun += 1
        with self.session("never"):
            raise AssertionError

    def on_stop(self) -> None:
        Eager.ended += 1


def test_in_a_refused_run_a_user_ends_at_its_first_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    environment = Environment(user_classes=[Eager], events=Events())
    environment.loadtest = SimpleNamespace(target=None)
    errors: list[Any] = []
    environment.events.user_error.add_listener(lambda **fired: errors.append(fired))
    users = gevent.pool.Group()
    user = Eager(environment)
    user.start(users)

    assert users.join(timeout=60)
    assert (Eager.begun, Eager.ended) == (1, 1)
    assert user.greenlet.successful()
    assert errors == []
    assert caplog.records == []


def test_users_draw_numbers_of_their_own_the_same_in_every_run(url: URL) -> None:
    def drawn(seed: int, index: int) -> list[list[int]]:
        target = EngineUnderTest(
            url,
            PoolConfig(),
            Namespace(arrival_rate=0.0, stages="", prefill=False, seed=seed),
            tls=False,
            process="here",
            index=index,
        )
        users = [Person(Scene(target).environment) for _ in range(3)]
        target.close()
        return [[user.random.randint(1, 10**9) for _ in range(4)] for user in users]

    first = drawn(1, 0)
    assert first == drawn(1, 0)
    numbers = [tuple(row) for row in [*first, *drawn(1, 1), *drawn(2, 0)]]
    assert len(set(numbers)) == 9


def test_an_error_outside_of_any_session_is_counted_and_one_inside_only_once(scene: Scene) -> None:
    failures = scene.target.recorder.failures
    with pytest.raises(ZeroDivisionError) as raised, scene.user.session("divide"):
        _ = 1 / 0
    note_error(SimpleNamespace(user=scene.user), raised.value)
    assert [kind for _, kind in failures] == ["other"]

    note_error(SimpleNamespace(user=scene.user), RuntimeError("boom"))
    assert [kind for _, kind in failures] == ["other", "other"]
    assert scene.target.recorder.cut("measured").counters["failures"] == 2


@pytest.mark.parametrize("ended", [False, True])
def test_users_who_still_wait_for_an_answer_are_ended_unless_all_is_over(
    caplog: pytest.LogCaptureFixture, ended: bool
) -> None:
    waiting = gevent.pool.Group()
    user = waiting.spawn(gevent.sleep, 600)
    over = end_again(SimpleNamespace(user_greenlets=waiting), 0.01)
    if ended:
        over()
    gevent.sleep(0.05)
    user.join(0 if ended else 60)

    said = ["1 users still wait for an answer in on_stop: the run ends them"]
    assert [record.getMessage() for record in caplog.records] == ([] if ended else said)
    assert user.dead is not ended
    waiting.kill()


class Hasty(PoolUser):
    """Sleeps so briefly between tasks that it may wake up in the moment in which it is stopped."""

    tasks_begun = signed_out = 0

    @task
    def begin(self) -> None:
        Hasty.tasks_begun += 1

    def wait_time(self) -> float:
        return 0.05  # longer than a busy machine lets the test wait before it orders the stop

    def on_stop(self) -> None:
        gevent.sleep(0.02)
        Hasty.signed_out += 1


def test_a_user_who_wakes_up_while_it_is_stopped_begins_no_further_task(scene: Scene) -> None:
    environment = Environment(user_classes=[Hasty], events=Events())
    environment.loadtest = SimpleNamespace(target=scene.target)
    user = Hasty(environment)
    user.start(gevent.pool.Group())
    while user._state != LOCUST_STATE_WAITING:
        gevent.sleep(0)
    begun, signed_out = Hasty.tasks_begun, Hasty.signed_out
    stopping = gevent.spawn_later(0, user.stop)
    ended = time.perf_counter() + 0.06
    while time.perf_counter() < ended:
        pass  # its time to wake up comes, and both get their turn in the same round of the loop
    gevent.joinall([stopping, user.greenlet], timeout=5)

    assert Hasty.tasks_begun == begun
    assert Hasty.signed_out == signed_out + 1  # it was left in peace
    assert user.greenlet.dead


class Failing(PoolUser):
    """Every second task fails while it has a connection."""

    metadata = Base.metadata
    done = 0

    @classmethod
    def fill(cls, session: Any, options: Any) -> None:
        session.add(Row(id=1))

    @task
    def divide(self) -> None:
        with self.session("divide") as session:
            session.get_one(Row, 1)
            Failing.done += 1
            if Failing.done % 2:
                raise ZeroDivisionError("on purpose")


def test_a_whole_run_in_this_process(url: URL, tmp_path: Path) -> None:
    path = tmp_path / "failing.jsonl"
    environment = Environment(
        user_classes=[Failing], events=Events(), stop_timeout=10, parsed_locustfiles=[__file__]
    )
    environment.parsed_options = _options(
        *("--headless", "-u", "4", "--results", str(path)),
        *("--database-url", url.render_as_string(False)),
    )
    runner = environment.create_local_runner()
    environment.loadtest = plugin = Plugin(environment, runner)
    plugin.open(None)
    runner.start(4, 4)
    pool = until(lambda: plugin.target, "the run to begin").engine.pool
    until(lambda: Failing.done >= 40, "forty tasks", lambda: plugin.target is not None)
    runner.stop()
    kept = plugin.users.targets
    plugin.close()

    run = read_run(path)
    assert kept == []
    counters = run.footer.totals.counters if run.footer else {}
    assert list(run.problems) == []
    assert counters["requests"] == Failing.done
    assert counters["failures"] == counters["errors.other"] == (Failing.done + 1) // 2
    assert counters["checkouts"] == counters["requests"]
    assert pool.checkedout() == 0  # type: ignore[attr-defined]
    assert runner.stats.total.num_requests == counters["requests"]
    assert runner.stats.total.num_failures == counters["failures"]
    (excepted,) = runner.exceptions.values()
    assert excepted["count"] == counters["failures"]
    assert "on purpose" in excepted["msg"]
    assert json.dumps(run.told).count(url.password or "?") == 0


def _options(*arguments: str) -> Namespace:
    return get_parser(default_config_files=[]).parse_args(list(arguments))  # type: ignore[no-any-return]


def test_what_the_parent_is_configured_with_later_holds_for_its_next_child(scene: Scene) -> None:
    scene.target.parent.configure(info={"by": "hand"}, expire_on_commit=False)
    with scene.user.session("look") as session:
        assert session.info == {"by": "hand"}
        assert session.expire_on_commit is False
