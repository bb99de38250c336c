"""What tasks did with their connections: holds, queries, nested checkouts, connections kept."""

from contextlib import contextmanager

import pytest
from gevent.event import Event
from greenlet import getcurrent
from measuring import MILLISECOND, Bench, waiting
from sqlalchemy import event

from loadtest.model.task_use import TaskUse
from loadtest.pool.task_usage import Task


@pytest.fixture
def bench():
    with Bench(pool_size=3, max_overflow=0) as bench:
        yield bench


@contextmanager
def task(bench, name):
    """A task of the current user."""
    tasks = bench.recorder.tasks
    tasks[getcurrent()] = work = Task(name, bench.recorder.uses[name])
    yield
    del tasks[getcurrent()]
    work.over = True


def used(bench, name="Buy"):
    """The use of connections by the tasks of a name since the last cut."""
    return bench.cut().tasks.get(name, TaskUse())


def test_holds_and_queries_are_summed_up_by_the_names_of_tasks(bench):
    for name, query, rest in (("Buy", 3, 20), ("Buy", 4, 30), ("Look", 1, 0)):
        with task(bench, name), bench.engine.connect() as connection:
            bench.querying = query
            connection.exec_driver_sql("SELECT 1")
            bench.forward(rest)
    tasks = bench.cut().tasks
    assert tasks["Buy"] == TaskUse(2, 57 * MILLISECOND, 2, 7 * MILLISECOND)
    assert tasks["Look"] == TaskUse(1, MILLISECOND, 1, MILLISECOND)
    assert bench.cut().tasks == {}


def test_a_commit_is_time_in_the_database_too(bench):
    with task(bench, "Buy"), bench.engine.begin() as connection:
        connection.exec_driver_sql("SELECT 1")
    assert used(bench).queries == 2


def test_a_failed_statement_counts_as_well(bench):
    with (
        task(bench, "Buy"),
        bench.engine.connect() as connection,
        pytest.raises(Exception, match="nonsense"),
    ):
        connection.exec_driver_sql("nonsense")
    assert used(bench).queries == 1


def test_what_is_done_outside_of_tasks_is_nobodys(bench):
    with bench.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    assert bench.cut().tasks == {}


def test_a_checkout_while_the_user_holds_a_connection_is_nested(bench):
    with task(bench, "Buy"), bench.engine.connect():
        bench.forward(1)
        with bench.engine.connect():
            bench.forward(1)
        bench.forward(1)
        with bench.engine.connect():
            bench.forward(1)
    assert used(bench).nested == 2


def test_a_checkout_by_a_listener_of_a_checkout_is_nested(bench):
    inside = []

    @event.listens_for(bench.engine, "checkout")
    def look(dbapi_connection, record, proxy):
        if not inside:
            inside.append(1)
            bench.take().close()

    with task(bench, "Buy"):
        for _ in range(2):
            bench.take().close()
    assert used(bench).nested == 1


def test_one_after_another_or_by_another_user_is_not_nested(bench):
    with task(bench, "Buy"):
        for _ in range(3):
            with bench.engine.connect():
                bench.forward(1)
        with bench.engine.connect():
            other = bench.begin_to_take()
            other.get().close()
    assert sum(use.nested for use in bench.cut().tasks.values()) == 0


def test_a_nested_checkout_is_seen_when_the_outer_one_is_still_held(bench):
    with task(bench, "Buy"):
        outer = bench.take()
        bench.cut()
        inner = bench.take()
        assert used(bench).nested == 1
        inner.close()
        assert used(bench).nested == 0
        outer.close()
        bench.take().close()
        assert used(bench).nested == 0


def test_a_nested_checkout_counts_when_it_fails_too():
    with Bench(pool_size=1, max_overflow=0, pool_timeout=0.01) as bench:
        with task(bench, "Buy"), bench.engine.connect():
            bench.forward(1)
            with pytest.raises(Exception, match="QueuePool limit"):
                bench.take()
            bench.forward(1)
        assert used(bench).nested == 1


def test_a_connection_that_outlives_its_task_is_kept(bench):
    with task(bench, "Buy"):
        kept = bench.take()
        assert used(bench).kept == 0
    with task(bench, "Buy"):
        assert used(bench).kept == 1
    assert used(bench).kept == 1
    kept.close()
    assert used(bench).kept == 0
    assert bench.cut().tasks == {}


def test_another_users_task_of_the_same_name_keeps_nothing(bench):
    never = Event()

    def buy():
        with task(bench, "Buy"), bench.engine.connect():
            never.wait()

    buyer = waiting(buy)
    with task(bench, "Buy"):
        pass
    assert used(bench).kept == 0
    buyer.kill()
