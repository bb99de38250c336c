"""Failed checkouts and statements of a task, and the statements that make up for them."""

import sqlite3
from contextlib import suppress

import gevent
import pytest
from greenlet import GreenletExit, getcurrent
from measuring import Bench, Connection, counted, milliseconds, use_once, waiting
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.pool.task_usage import RequestFailed, Task


class Noting(Task):
    """A task whose failures have the names of their exceptions."""

    __slots__ = ()

    def attempt_failed(self, error):
        self.failed_attempts.append(RequestFailed(type(error).__name__, str(error)))

    @property
    def failed(self):
        return [failure.kind for failure in self.failed_attempts]


@pytest.fixture
def bench():
    with Bench(pool_size=1, max_overflow=0, pool_timeout=0.01) as bench:
        yield bench


@pytest.fixture
def task(bench):
    """The task of the current user."""
    bench.recorder.tasks[getcurrent()] = work = Noting("Buy", bench.recorder.uses["Buy"])
    yield work
    del bench.recorder.tasks[getcurrent()]


def fail_a_statement(connection):
    with pytest.raises(OperationalError):
        connection.exec_driver_sql("nonsense")


def fail_a_checkout(bench):
    with pytest.raises(PoolTimeout):
        bench.take()


def retries(bench):
    return {n: c for n, c in counted(bench.cut()).items() if n.startswith("retries")}


def test_a_failed_statement_is_made_up_for_by_the_next_successful_one(bench, task):
    with bench.engine.connect() as connection:
        fail_a_statement(connection)
        assert task.failed == ["OperationalError"]
        connection.exec_driver_sql("SELECT 1")
    assert task.failed == []
    assert retries(bench) == {"retries": 1, "retries.OperationalError": 1}
    assert retries(bench) == {}


def test_a_failed_checkout_is_made_up_for_by_a_statement_not_by_a_checkout(bench, task):
    with bench.engine.connect():
        fail_a_checkout(bench)
        fail_a_checkout(bench)
    with bench.engine.connect() as connection:
        assert task.failed == ["TimeoutError", "TimeoutError"]
        connection.exec_driver_sql("SELECT 1")
    assert task.failed == []
    assert retries(bench) == {"retries": 2, "retries.TimeoutError": 2}


@pytest.mark.parametrize("statement", ["ROLLBACK", " rollback to savepoint a", "XA ROLLBACK 'x'"])
def test_a_rollback_makes_up_for_nothing(bench, task, statement):
    task.attempt_failed(OSError())
    task.recovered(statement)
    assert task.failed == ["OSError"]
    assert retries(bench) == {}


def test_neither_does_one_to_a_savepoint_but_the_next_savepoint_does(bench, task):
    with bench.engine.connect() as connection:
        savepoint = connection.begin_nested()
        fail_a_statement(connection)
        savepoint.rollback()
        assert task.failed == ["OperationalError"]
        connection.begin_nested()
        assert task.failed == []


def test_pings_resets_and_the_sessions_own_rollback_make_up_for_nothing():
    with Bench(pool_size=1, max_overflow=0, pool_pre_ping=True) as bench:
        bench.pinging = bench.resetting = 1
        task = bench.recorder.tasks[getcurrent()] = Noting("Buy", bench.recorder.uses["Buy"])
        with bench.engine.connect() as connection:
            fail_a_statement(connection)
            connection.rollback()
        bench.cut()
        use_once(bench.engine)
        interval = bench.cut()
        assert task.failed == ["OperationalError"]
        assert (milliseconds(interval, "ping"), milliseconds(interval, "reset")) == (1, 1)


def test_a_commit_succeeds_and_fails_as_a_statement_does(bench, task, monkeypatch):
    with bench.engine.connect() as connection:
        fail_a_statement(connection)
        connection.commit()
        assert task.failed == []
        monkeypatch.setattr(Connection, "commit", refuse, raising=False)
        connection.exec_driver_sql("SELECT 1")
        with pytest.raises(OperationalError):
            connection.commit()
    assert task.failed == ["OperationalError"]
    assert retries(bench) == {"retries": 1, "retries.OperationalError": 1}


def refuse(dbapi_connection):
    raise sqlite3.OperationalError


def test_a_statement_with_many_rows_counts_too(bench, task):
    with bench.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY)")
        with pytest.raises(IntegrityError):
            connection.exec_driver_sql("INSERT INTO t VALUES (?)", [(1,), (1,)])
        assert task.failed == ["IntegrityError"]
        connection.exec_driver_sql("INSERT INTO t VALUES (?)", [(8,), (9,)])
    assert task.failed == []


def test_work_outside_of_tasks_has_no_outcome(bench):
    with bench.engine.connect() as connection:
        fail_a_statement(connection)
        fail_a_checkout(bench)
        connection.exec_driver_sql("SELECT 1")
    assert bench.recorder.no_task.failed_attempts == []
    assert retries(bench) == {}


def test_another_user_makes_up_for_nothing(bench, task):
    with bench.engine.connect() as connection:
        fail_a_statement(connection)
        gevent.spawn(connection.exec_driver_sql, "SELECT 1").get()
    assert task.failed == ["OperationalError"]


@pytest.mark.parametrize(
    ("end", "failed"), [(gevent.Timeout(1), ["Timeout"]), (TimeoutError(), ["TimeoutError"])]
)
def test_a_wait_that_is_interrupted_is_a_failed_checkout_and_stays_a_wait(end, failed):
    interval, task = ended_while_it_waits(end)
    assert task.failed == failed
    assert interval.counters["checkout_errors"] == 1
    assert interval.counters["timeouts"] == 0
    assert milliseconds(interval, "wait") == 5


def test_a_user_that_is_killed_while_it_waits_has_no_failure():
    interval, task = ended_while_it_waits(GreenletExit())
    assert task.failed == []
    assert interval.counters["checkout_errors"] == 0
    assert "wait" not in interval.histograms


def ended_while_it_waits(end):
    """The interval in which an exception ends the checkout of a user after 5 ms, and its task."""
    with Bench(pool_size=1, max_overflow=0) as bench, bench.engine.connect():
        task = Noting("Buy", bench.recorder.uses["Buy"])

        def wait():
            bench.recorder.tasks[getcurrent()] = task
            with suppress(gevent.Timeout, TimeoutError):
                bench.take()

        bench.cut()
        user = waiting(wait)
        bench.forward(5)
        user.kill(end)
        return bench.cut(), task


@pytest.mark.parametrize("end", [gevent.Timeout(1), TimeoutError(), KeyboardInterrupt()])
def test_a_statement_that_is_interrupted_failed(bench, task, end):
    bench.interruption = end
    with bench.engine.connect() as connection, pytest.raises(type(end)):
        connection.exec_driver_sql("SELECT 1")
    assert task.failed == [type(end).__name__]
    assert bench.cut().tasks["Buy"].queries == 1
