"""Users of an application on the real database: idle for too long, or several in one session."""

from locust import task
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.event import Events

from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from sqlalchemy import URL, Engine, QueuePool, StaticPool, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from loadtest.database.application import Application
from loadtest.database.engine import parent_session
from loadtest.load import PoolUser
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.setup.application_pool import measured_pool
from tests.processes import until

pytestmark = pytest.mark.database
NUMBER = text("SELECT CONNECTION_ID()")
BRIEF = "SET SESSION wait_timeout = 1"


class Worker(PoolUser):
    @task
    def nothing(self) -> None:
        pass


class Scene:
    """Users of an application whose engine is this one."""

    def __init__(self, engine: Engine) -> None:
        application = Application("jobs:engine", engine, parent_session(engine), shared=False)
        arguments = ["--engine", application.name, "--poolclass", "as-is"]
        options = get_parser(default_config_files=[]).parse_args(arguments)
        pool = measured_pool(options, application)
        given: Any = {"tls": False, "process": "here", "application": application}
        self.target = EngineUnderTest(application.url, pool, options, **given)
        self._environment: Any = Environment(user_classes=[Worker], events=Events())
        self._environment.loadtest = SimpleNamespace(target=self.target)

    def user(self) -> Worker:
        """One more user."""
        return Worker(self._environment)

    def fail(self, interlude: Callable[[Session], object]) -> None:
        """A request that loses its connection: at the latest after an interlude."""

        def work() -> None:
            with self.user().session("job") as session:
                interlude(session)
                session.execute(NUMBER)

        with pytest.raises(DBAPIError):
            work()

    @property
    def kinds(self) -> list[str]:
        """The kinds of the requests that failed."""
        return [kind for _, kind in self.target.recorder.failures]


def by_init_command(url: URL, **pool: Any) -> Engine:
    """An engine whose sessions may idle for a second, by an argument of the driver."""
    arguments = {"ssl_disabled": True, "init_command": BRIEF}
    return create_engine(url, connect_args=arguments, **pool)


def by_listener(url: URL, **pool: Any) -> Engine:
    """The same by a listener of the application."""
    engine = create_engine(url, connect_args={"ssl_disabled": True}, **pool)

    @event.listens_for(engine, "connect")
    def brief(dbapi_connection: Any, _: object) -> None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute(BRIEF)

    return engine


def wait_for_the_end(number: int, admin: Engine) -> None:
    """Wait until the server has closed a connection."""
    there = text(f"SELECT 1 FROM information_schema.processlist WHERE id = {number}")
    with admin.connect() as connection:
        until(lambda: not connection.scalar(there), "the server to close an idle connection")


@pytest.mark.parametrize("made", [by_init_command, by_listener])
def test_a_task_that_holds_its_connection_for_too_long_is_told_apart(
    made: Callable[..., Engine], url: URL, admin: Engine
) -> None:
    scene = Scene(made(url, pool_recycle=1, pool_pre_ping=True))  # neither helps
    scene.fail(lambda session: wait_for_the_end(session.scalar(NUMBER), admin))
    assert scene.kinds == ["idle_in_task"]
    assert scene.target.recorder.wait_timeout == 1
    scene.target.close()


@pytest.mark.parametrize(
    ("scheme", "arguments"),
    [("mysql+mysqldb", {}), ("mysql+mysqlconnector", {"use_pure": True, "ssl_disabled": True})],
)
def test_other_drivers_are_told_the_same(
    scheme: str, arguments: dict[str, Any], url: URL, admin: Engine
) -> None:
    arguments = {**arguments, "init_command": BRIEF}
    scene = Scene(create_engine(url.set(drivername=scheme), connect_args=arguments))
    scene.fail(lambda session: wait_for_the_end(session.scalar(NUMBER), admin))
    assert scene.kinds[0] == "idle_in_task"
    scene.target.close()


def test_a_connection_that_idled_in_the_pool_is_told_apart(url: URL, admin: Engine) -> None:
    scene = Scene(by_listener(url))
    with scene.user().session("first") as session:
        number = session.scalar(NUMBER)
    wait_for_the_end(number, admin)
    scene.fail(lambda session: None)
    assert scene.kinds == ["idle_in_pool"]
    scene.target.close()


def test_a_connection_that_was_killed_did_not_idle(url: URL, admin: Engine) -> None:
    scene = Scene(create_engine(url, connect_args={"ssl_disabled": True}))

    def kill(session: Session) -> None:
        number = session.scalar(NUMBER)
        with admin.connect() as connection:
            connection.execute(text(f"KILL {number}"))
        wait_for_the_end(number, admin)

    scene.fail(kill)
    assert scene.kinds[0] in ("gone_away", "lost_during_query", "connection_killed")
    scene.target.close()


@pytest.mark.parametrize("poolclass", [QueuePool, StaticPool])
def test_users_of_one_session_fail_as_such(url: URL, poolclass: type[Any]) -> None:
    engine = create_engine(url, connect_args={"ssl_disabled": True}, poolclass=poolclass)
    scene, everybodys = Scene(engine), Session(engine)

    def ask(user: Worker) -> None:
        for _ in range(5):
            with suppress(Exception), user.session("ask"):
                everybodys.execute(text("SELECT SLEEP(0.01)")).all()

    gevent.joinall([gevent.spawn(ask, scene.user()) for _ in range(5)])
    assert "concurrent_use" in scene.kinds
    assert set(scene.kinds) <= {
        *("concurrent_use", "pending_rollback", "gone_away", "lost_during_query")
    }
    everybodys.invalidate()
    scene.target.close()
