"""An error without a known number is of a kind that tells where it was raised."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pymysql
import pytest
from gevent.exceptions import ConcurrentObjectUseError
from sqlalchemy import AssertionPool, Engine, QueuePool, StaticPool, create_engine, event, text
from sqlalchemy.exc import InvalidRequestError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import SingletonThreadPool

from loadtest.database.failure_kinds import kind_of, words_of
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder
from tests.database.test_failures import kind_raised_by

SELECT = text("SELECT 1")


def raising(error: BaseException) -> Callable[..., Any]:
    """A listener, or another function, that raises an error."""

    def fail(*_: Any) -> None:
        raise error.with_traceback(None)  # without the places where another test raised it

    return fail


@pytest.fixture(params=[QueuePool, StaticPool, SingletonThreadPool])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine that is measured, as in a run."""
    made = create_engine("sqlite://", poolclass=request.param)
    measure(made, Recorder())
    yield made
    made.dispose()


VAULT = RuntimeError("vault: 503")


@pytest.mark.parametrize(
    ("listener", "error", "kind"),
    [
        ("connect", VAULT, "connect_failed"),
        ("connect", pymysql.err.OperationalError(1045, "denied"), "connect_failed"),
        ("connect", pymysql.err.OperationalError(2013, "in the handshake"), "connect_failed"),
        ("connect", pymysql.err.OperationalError(1040, "full"), "too_many_connections"),
        ("connect", pymysql.err.OperationalError(1213, "a lock"), "deadlock"),
        ("checkout", VAULT, "checkout_failed"),
        ("checkout", ValueError("no tenant"), "checkout_failed"),
    ],
)
def test_a_listener_that_fails(engine: Engine, listener: str, error: Exception, kind: str) -> None:
    fail = raising(error)

    def close_and_fail(connection: Any, *_: Any) -> None:
        connection.close()  # after a failed `connect` listener SQLAlchemy leaves this to others
        fail()

    event.listen(engine, listener, close_and_fail)
    assert kind_raised_by(engine.connect) == kind
    with Session(engine) as session:
        assert kind_raised_by(lambda: session.execute(SELECT)) == kind


def test_a_connect_that_fails_without_a_number() -> None:
    engine = create_engine("sqlite://", creator=raising(KeyError("DB_PASSWORD")))
    assert kind_raised_by(engine.connect) == "connect_failed"


def test_a_pool_that_refuses_a_second_user() -> None:
    engine = create_engine("sqlite://", poolclass=AssertionPool)
    with engine.connect():
        with pytest.raises(AssertionError) as raised:
            engine.connect()
        assert kind_of(raised.value) == "checkout_failed"
        assert words_of(raised.value) == "connection is already checked out"
    engine.dispose()


def test_an_error_past_the_checkout_is_not_of_the_checkout(engine: Engine) -> None:
    with engine.connect() as connection:
        assert kind_raised_by(lambda: connection.execute(text("SELECT nothing"))) == "other"
    assert kind_raised_by(raising(VAULT)) == "other"


def raised_from(cause: BaseException) -> Exception:
    """An application's own error that a cause led to."""
    try:
        raise LookupError("503 for the client") from cause
    except LookupError as error:
        return error


def test_an_applications_own_error_is_of_the_kind_of_its_cause() -> None:
    assert kind_of(raised_from(PoolTimeout("limit reached"))) == "pool_timeout"
    assert kind_of(raised_from(pymysql.err.OperationalError(1205, "locked"))) == "lock_wait_timeout"
    assert kind_of(raised_from(KeyError("nothing"))) == "other"
    circle = LookupError()
    circle.__cause__ = raised_from(circle)
    assert kind_of(circle) == "other"


def test_a_session_that_was_not_rolled_back() -> None:
    assert kind_of(PendingRollbackError("Can't reconnect until", code="8s2b")) == "pending_rollback"


def test_two_users_in_one_session(engine: Engine) -> None:
    session = Session(engine)
    event.listen(engine, "checkout", lambda *_: gevent.sleep(0.01))
    one, other = (gevent.spawn(session.execute, SELECT) for _ in range(2))
    gevent.joinall([one, other])
    failed = [user.exception for user in (one, other) if not user.successful()]
    assert {kind_of(error) for error in failed if error} == {"concurrent_use"}
    session.close()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("reentrant call inside <_io.BufferedReader name=8>"),
        ConcurrentObjectUseError("This socket is already used by another greenlet"),
        InvalidRequestError("This session is provisioning a new connection", code="isce"),
    ],
)
def test_errors_of_two_users_in_one_connection(error: Exception) -> None:
    assert kind_of(error) == "concurrent_use"


def test_a_driver_whose_socket_another_user_has_closed() -> None:
    connection = pymysql.Connection(defer_connect=True)
    connection._rfile = io.BufferedReader(io.BytesIO())
    connection._rfile.close()
    connection._read_timeout = connection._current_timeout = None
    assert kind_raised_by(lambda: connection._read_bytes(4)) == "concurrent_use"


def test_data_that_a_driver_cannot_encode_is_not_of_two_users() -> None:
    connection = pymysql.Connection(defer_connect=True, charset="latin1")
    connection._sock = io.BytesIO()
    assert kind_raised_by(lambda: connection._execute_command(3, "SELECT '\N{SNOWMAN}'")) == "other"
    connection._sock = None
