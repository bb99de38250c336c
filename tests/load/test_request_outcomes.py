"""What a request counts as, on a driver that fails where a statement tells it to."""

from locust.env import Environment
from locust.event import Events
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)

from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NoReturn

import gevent
import gevent.pool
import pymysql
import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from benchmarks import _stub_driver
from loadtest.load import PoolUser
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.users.pool_user import note_error
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig

CONTROL_FLOW = [
    *(InterruptTaskSet(), RescheduleTask(), RescheduleTaskImmediately()),
    *(StopUser(), StopTest()),
]
INTERRUPTIONS = [gevent.Timeout(0.3), TimeoutError("too slow"), KeyboardInterrupt()]


class Cursor(_stub_driver.Cursor):
    """Fails with the number that a statement names, or is stuck."""

    def execute(self, statement: str, _: object = None) -> None:
        word, _, number = statement.partition(" ")
        if word == "ERROR":
            raise pymysql.err.OperationalError(int(number), f"error {number}")
        if word == "STUCK":
            gevent.sleep(600)
        super().execute(statement)


class Connection(_stub_driver.Connection):
    def cursor(self) -> Cursor:
        return Cursor()

    def ping(self, reconnect: bool = True) -> None:
        """The server is there."""


class Person(PoolUser):
    abstract = True


class Scene:
    """A user, what was counted for it, and the `request` events that it fired."""

    def __init__(self) -> None:
        options = Namespace(arrival_rate=0.0, stages="", prefill=False, seed=1)
        pool = PoolConfig(pool_size=2, max_overflow=0, pool_timeout=0.01, pool_pre_ping=True)
        url = make_url("mysql+pymysql://nobody@localhost/nowhere")
        self.target = EngineUnderTest(url, pool, options, tls=False, process="here")
        environment: Any = Environment(user_classes=[Person], events=Events())
        environment.loadtest = SimpleNamespace(target=self.target)
        self.fired: list[dict[str, Any]] = []
        environment.events.request.add_listener(lambda **fired: self.fired.append(fired))
        self.user = Person(environment)

    def request(self, work: Callable[[Session], object], name: str = "buy") -> None:
        """One request; what leaves its block ends here."""
        with suppress(BaseException), self.user.session(name) as session:
            work(session)

    def counted(self) -> dict[str, int]:
        """The requests since the last look, by what they count as."""
        return outcomes(self.target.recorder.cut("measured"))


def outcomes(interval: Interval) -> dict[str, int]:
    counts = interval.counters
    names = [name for name in counts if name.startswith("errors.")]
    names += ["retries", "abandoned"]
    found = {name.removeprefix("errors."): counts[name] for name in names}
    found["ok"] = counts["requests"] - counts["failures"]
    return {name: number for name, number in found.items() if number}


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(pymysql, "connect", Connection)
    scene = Scene()
    yield scene
    scene.target.close()


def run(session: Session, *statements: str) -> None:
    for statement in statements:
        session.execute(text(statement))


def swallow(session: Session, statement: str) -> None:
    """Run a statement as an application does that answers errors itself."""
    with suppress(OperationalError, PoolTimeout):
        run(session, statement)


def test_a_request_whose_statements_work_is_a_success(scene: Scene) -> None:
    scene.request(lambda session: (run(session, "SELECT 1", "SELECT 2"), session.commit()))
    scene.request(lambda session: None)
    assert scene.counted() == {"ok": 2}
    assert [fired["exception"] for fired in scene.fired] == [None, None]


def test_a_request_whose_last_statement_failed_fails_although_the_error_was_caught(
    scene: Scene,
) -> None:
    def view(session: Session) -> None:
        run(session, "SELECT 1")
        swallow(session, "ERROR 1213")
        session.rollback()

    scene.request(view)
    assert scene.counted() == {"deadlock": 1}
    (fired,) = scene.fired
    assert "error 1213" in repr(fired["exception"])
    assert "caught by the application" in repr(fired["exception"])


def test_a_request_whose_last_checkout_failed_fails_although_the_error_was_caught(
    scene: Scene,
) -> None:
    engine = scene.target.engine
    with engine.connect(), engine.connect():
        scene.request(lambda session: swallow(session, "SELECT 1"))
    assert scene.counted() == {"pool_timeout": 1}


def test_the_example_of_a_caught_error_says_so(scene: Scene) -> None:
    scene.request(lambda session: swallow(session, "ERROR 1205"))
    example = scene.target.recorder.cut("measured").examples["lock_wait_timeout"]
    assert example == "(1205, 'error 1205') (caught by the application)"


def test_a_failure_that_a_later_statement_makes_up_for_is_a_retry(scene: Scene) -> None:
    def buy(session: Session) -> None:
        for number in (1213, 1020):
            swallow(session, f"ERROR {number}")
            session.rollback()
        run(session, "SELECT 1")

    scene.request(buy)
    counts = scene.target.recorder.cut("measured").counters
    assert (counts["retries.deadlock"], counts["retries.write_conflict"]) == (1, 1)
    assert outcomes(Interval(0, counters=counts)) == {"ok": 1, "retries": 2}


def test_a_retry_counts_even_if_the_request_fails_in_the_end(scene: Scene) -> None:
    def buy(session: Session) -> None:
        swallow(session, "ERROR 1213")
        run(session, "SELECT 1")
        swallow(session, "ERROR 1205")

    scene.request(buy)
    assert scene.counted() == {"lock_wait_timeout": 1, "retries": 1}


def test_a_rollback_and_a_ping_make_up_for_nothing(scene: Scene) -> None:
    def buy(session: Session) -> None:
        swallow(session, "ERROR 1213")
        session.rollback()
        session.connection()  # pre-ping
        run(session, "ROLLBACK")

    scene.request(buy)
    assert scene.counted() == {"deadlock": 1}


def test_what_failed_in_one_request_is_forgotten_in_the_next(scene: Scene) -> None:
    scene.request(lambda session: swallow(session, "ERROR 1213"))
    scene.request(lambda session: None)
    scene.request(lambda session: run(session, "SELECT 1"))
    assert scene.counted() == {"deadlock": 1, "ok": 2}


@pytest.mark.parametrize(
    ("failing", "kind"), [("ERROR 1213", "deadlock"), ("ERROR 1146", "wrong_sql")]
)
def test_an_error_of_the_applications_own_has_the_kind_of_the_statement_before_it(
    scene: Scene, failing: str, kind: str
) -> None:
    def view(session: Session) -> None:
        swallow(session, failing)
        raise LookupError("503")

    scene.request(view)
    assert scene.counted() == {kind: 1}
    assert isinstance(scene.fired[0]["exception"], LookupError)


def test_an_error_of_the_database_that_leaves_the_block_is_not_said_to_be_caught(
    scene: Scene,
) -> None:
    for number in (1146, 1213):
        scene.request(lambda session, number=number: run(session, f"ERROR {number}"))
    examples = scene.target.recorder.cut("measured").examples
    assert examples == {"wrong_sql": "(1146, 'error 1146')", "deadlock": "(1213, 'error 1213')"}
    assert isinstance(scene.fired[0]["exception"], OperationalError)


@pytest.mark.parametrize("error", INTERRUPTIONS)
def test_an_interrupted_request_failed(scene: Scene, error: BaseException) -> None:
    def view(session: Session) -> None:
        run(session, "SELECT 1")
        raise error

    scene.request(view)
    assert scene.counted() == {"interrupted": 1}
    assert scene.fired[0]["exception"] is error


def test_a_statement_that_a_silent_time_limit_cuts_off_failed(scene: Scene) -> None:
    def view(session: Session) -> None:
        with gevent.Timeout(0.01, False):
            run(session, "STUCK")

    scene.request(view)
    assert scene.counted() == {"interrupted": 1}


def test_a_wait_that_a_time_limit_cuts_off_failed(scene: Scene) -> None:
    engine = scene.target.engine
    engine.pool._timeout = 60  # type: ignore[attr-defined]

    def view(session: Session) -> None:
        with gevent.Timeout(0.01, False):
            run(session, "SELECT 1")

    with engine.connect(), engine.connect():
        scene.request(view)
    assert scene.counted() == {"interrupted": 1}


@pytest.mark.parametrize("error", CONTROL_FLOW)
def test_locusts_control_flow_is_neither_success_nor_failure(
    scene: Scene, error: Exception
) -> None:
    def view(session: Session) -> None:
        run(session, "SELECT 1")
        raise error

    scene.request(view)
    assert scene.counted() == {"abandoned": 1}
    assert scene.fired == []
    assert scene.target.recorder.tasks == {}


def test_control_flow_after_a_failed_statement_is_a_failure(scene: Scene) -> None:
    def view(session: Session) -> None:
        swallow(session, "ERROR 1213")
        raise RescheduleTask

    scene.request(view)
    assert scene.counted() == {"deadlock": 1}


def test_a_request_may_be_declared_failed(scene: Scene) -> None:
    def view(session: Session) -> None:
        scene.user.fail("answered 500")
        run(session, "SELECT 1")

    scene.request(view)
    interval = scene.target.recorder.cut("measured")
    assert outcomes(interval) == {"declared_failure": 1}
    assert interval.examples == {"declared_failure": "answered 500"}
    assert "answered 500" in repr(scene.fired[0]["exception"])


def test_a_request_may_be_declared_a_success_whatever_failed(scene: Scene) -> None:
    def view(session: Session) -> None:
        swallow(session, "ERROR 1062")
        scene.user.succeed()

    def leaves(session: Session) -> None:
        scene.user.succeed()
        raise KeyError

    def interrupts(session: Session) -> None:
        scene.user.succeed()
        raise InterruptTaskSet

    for work in (view, leaves, interrupts):
        scene.request(work)
    assert scene.counted() == {"ok": 3}
    assert [fired["exception"] for fired in scene.fired] == [None, None, None]


def test_the_last_declaration_counts_and_only_for_its_own_request(scene: Scene) -> None:
    def view(session: Session) -> None:
        scene.user.succeed()
        scene.user.fail("no")

    scene.request(view)
    scene.request(lambda session: swallow(session, "ERROR 1213"))
    scene.request(lambda session: None)
    assert scene.counted() == {"declared_failure": 1, "deadlock": 1, "ok": 1}


@pytest.mark.parametrize("declare", [lambda user: user.fail("no"), lambda user: user.succeed()])
def test_an_outcome_outside_of_a_request_is_a_mistake(
    scene: Scene, declare: Callable[[PoolUser], None]
) -> None:
    scene.request(lambda session: None)
    with pytest.raises(RuntimeError, match=r"inside of `with self\.session"):
        declare(scene.user)


def test_an_error_of_a_request_declared_a_success_is_not_counted_as_one_beside_it(
    scene: Scene,
) -> None:
    def view() -> None:
        with scene.user.session("buy"):
            scene.user.succeed()
            raise KeyError

    with pytest.raises(KeyError) as raised:
        view()
    note_error(SimpleNamespace(user=scene.user), raised.value)
    assert scene.counted() == {"ok": 1}


def leaves_with(work: Callable[[], object], error: type[BaseException], scene: Scene) -> None:
    """Work as a task that an error leaves, which Locust then reports."""
    with pytest.raises(error) as raised:
        work()
    note_error(SimpleNamespace(user=scene.user), raised.value)


@pytest.mark.parametrize(
    ("first", "counted"),
    [(KeyError(), {"other": 1}), (RescheduleTask(), {"gone_away": 1}), (None, {"gone_away": 1})],
)
def test_an_error_while_a_session_closes_is_not_counted_beside_that_of_its_block(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, first: Exception | None, counted: dict[str, int]
) -> None:
    def close() -> NoReturn:
        raise pymysql.err.OperationalError(2006, "gone away")

    def view() -> None:
        with scene.user.session("buy") as session:
            monkeypatch.setattr(session, "close", close)
            if first:
                raise first

    leaves_with(view, pymysql.err.OperationalError, scene)
    assert scene.counted() == counted


def test_an_error_that_answers_the_error_of_a_request_is_not_counted_beside_it(
    scene: Scene,
) -> None:
    def view() -> None:
        try:
            with scene.user.session("buy") as session:
                run(session, "ERROR 1213")
        except OperationalError as error:
            raise LookupError("503") from error

    leaves_with(view, LookupError, scene)
    assert scene.counted() == {"deadlock": 1}


def test_a_request_ends_even_if_the_registry_of_sessions_fails(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clear() -> NoReturn:
        raise LookupError("a teardown function of the application")

    monkeypatch.setattr(scene.target.parent.registry, "clear", clear)

    def view() -> None:
        with scene.user.session("buy") as session:
            run(session, "SELECT 1")

    leaves_with(view, LookupError, scene)
    assert scene.counted() == {"other": 1}
    assert scene.target.recorder.tasks == {}


def test_a_lost_connection_that_the_application_caught_has_the_reason_of_its_loss(
    scene: Scene,
) -> None:
    scene.target.recorder.wait_timeout = 0.0

    def retries(session: Session) -> None:
        swallow(session, "ERROR 2013")
        session.rollback()
        run(session, "SELECT 1")

    scene.request(lambda session: swallow(session, "ERROR 2013"))
    assert scene.counted() == {"idle_in_task": 1}
    scene.request(retries)
    assert scene.target.recorder.cut("measured").counters["retries.idle_in_task"] == 1


@dataclass(frozen=True)
class Refused(Exception):
    """An error of an application that takes no attributes."""

    reason: str


def test_an_error_that_takes_no_attributes_reaches_the_application(scene: Scene) -> None:
    def refuse(*_: object) -> NoReturn:
        raise Refused("closed on Sundays")

    event.listen(scene.target.engine, "checkout", refuse)
    seen: list[str] = []

    def view(session: Session) -> None:
        try:
            run(session, "SELECT 1")
        except Refused as error:
            seen.append(error.reason)

    scene.request(view)
    assert seen == ["closed on Sundays"]
    assert scene.counted() == {"checkout_failed": 1}


def test_the_loss_of_a_connection_does_not_change_the_kind_of_an_earlier_failure(
    scene: Scene,
) -> None:
    scene.target.recorder.wait_timeout = 0.0

    def view(session: Session) -> None:
        swallow(session, "ERROR 1213")
        session.connection().invalidate(pymysql.err.OperationalError(2013, "lost"))

    scene.request(view)
    assert scene.counted() == {"deadlock": 1}


def test_a_block_inside_another_has_its_own_outcome_and_the_outer_one_goes_on(
    scene: Scene,
) -> None:
    def outer(session: Session) -> None:
        scene.request(lambda inner: swallow(inner, "ERROR 1213"), "inner")
        swallow(session, "ERROR 1205")

    def fine(session: Session) -> None:
        scene.request(lambda inner: swallow(inner, "ERROR 1213"), "inner")
        run(session, "SELECT 1")

    scene.request(outer, "outer")
    assert scene.counted() == {"deadlock": 1, "lock_wait_timeout": 1}
    scene.request(fine, "outer")
    assert scene.counted() == {"deadlock": 1, "ok": 1}
    assert scene.target.recorder.tasks == {}


def test_a_user_that_locust_kills_in_a_statement_has_no_outcome(scene: Scene) -> None:
    greenlet = gevent.spawn(scene.request, lambda session: run(session, "STUCK"))
    gevent.sleep(0)
    greenlet.kill()
    assert scene.counted() == {}
    assert scene.fired == []


class Helping(PoolUser):
    """A request in a helper greenlet, which the user kills."""

    abstract = True

    def on_start(self) -> None:
        helper = gevent.spawn(self.ask)
        gevent.sleep(0)
        helper.kill()
        raise StopUser

    def ask(self) -> None:
        with self.session("helper") as session:
            run(session, "STUCK")


def test_a_helper_that_the_scenario_kills_failed(scene: Scene) -> None:
    user = Helping(scene.user.environment)
    user.start(gevent.pool.Group())
    user.greenlet.join()
    assert scene.counted() == {"interrupted": 1}
