"""A deadlocked pool is recognised as soon as it is one, and a pool that only has a queue is not."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import gevent
import pytest
from gevent import Greenlet
from gevent.event import Event
from gevent.queue import Queue
from greenlet import getcurrent
from measuring import Bench, others_go_on, waiting
from sqlalchemy import event
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.model.task_use import TaskUse
from loadtest.pool.deadlock_watch import QUIET
from loadtest.pool.task_usage import Task, user_in_context

LONG = QUIET // 1_000_000 + 100
Work = Callable[[], Any]


class Scene(Bench):
    """Users of a pool without overflow. They do their work with a connection in hand.

    never: an event that does not happen. A statement SELECT 2 waits for it.
    """

    def __init__(self, pool_size: int, **pool: Any) -> None:
        self.users: list[Greenlet] = []
        self.never = Event()
        pool = {"max_overflow": 0, "pool_timeout": 60, **pool}
        super().__init__(pool_size=pool_size, **pool)

    def __exit__(self, *ended: Any) -> None:
        gevent.killall(self.users)
        super().__exit__(*ended)

    def _execute(self, cursor: Any, statement: str, parameters: Any, context: Any) -> None:
        if statement == "SELECT 2":
            self.never.wait()
        super()._execute(cursor, statement, parameters, context)

    def start(self, number: int, work: Work) -> None:
        """Users without a task that work as far as they come."""
        self.users += [waiting(work) for _ in range(number)]

    def hold(self, number: int, work: Work, name: str = "order") -> None:
        """Users that all have a connection, or wait for it, before the first begins its work."""
        begin = Event()

        def hold() -> None:
            with self.task(name), self.engine.connect():
                begin.wait()
                work()

        self.start(number, hold)
        begin.set()
        others_go_on()

    @contextmanager
    def task(self, name: str) -> Iterator[Task]:
        """A task of the current user."""
        tasks = self.recorder.tasks
        tasks[getcurrent()] = work = Task(name, self.recorder.uses[name])
        user_in_context.set(id(getcurrent()))
        try:
            yield work
        finally:
            del tasks[getcurrent()]

    def helper(self, work: Work) -> Greenlet:
        """A greenlet that works for the current one."""
        self.users.append(gevent.spawn(work))
        return self.users[-1]

    def deadlock(self, name: str = "order", after: int = 0) -> int:
        """The most connections of one task in a deadlock; 0 without one. after: milliseconds."""
        self.forward(after)
        use = self.cut().tasks.get(name, TaskUse())
        assert use.deadlocked in (0, 1)
        return use.waiting_with if use.deadlocked else 0


# ---- Users that wait themselves


def test_holders_that_all_wait_for_a_second_connection_are_named_at_once() -> None:
    with Scene(3) as scene:
        scene.hold(5, scene.take)
        assert scene.deadlock() == 1
        assert scene.deadlock(after=1000) == 1


def test_overflow_belongs_to_the_limit() -> None:
    with Scene(2, max_overflow=1) as scene:
        scene.hold(2, scene.never.wait)
        scene.hold(1, scene.take)
        assert scene.recorder.deadlocks.limit == 3
        assert scene.deadlock() == 0
    with Scene(2, max_overflow=1) as scene:
        scene.hold(3, scene.take)
        assert scene.deadlock() == 1


def test_a_deadlock_in_the_warm_up_is_named_too() -> None:
    with Scene(3) as scene:
        scene.hold(3, scene.take)
        assert scene.recorder.cut("warmup").tasks["order"].deadlocked == 1


def test_two_connections_of_each_task_that_waits_for_a_third_are_counted() -> None:
    with Scene(4) as scene:
        begin = Event()

        def third() -> None:
            with scene.engine.connect():
                begin.wait()
                scene.take()

        scene.hold(2, third)
        begin.set()
        others_go_on()
        assert scene.deadlock() == 2


def test_a_listener_of_a_checkout_that_needs_a_connection_blocks_the_pool() -> None:
    with Scene(1) as scene:
        inside: list[int] = []

        @event.listens_for(scene.engine, "checkout")
        def look(*_: Any) -> None:
            if not inside:
                inside.append(1)
                scene.take()

        scene.hold(1, lambda: None)
        assert scene.deadlock() == 1


def test_code_outside_of_tasks_is_noticed_without_a_name() -> None:
    with Scene(1) as scene:

        def begin() -> None:
            with scene.engine.connect():
                scene.take()

        scene.start(1, begin)
        assert scene.deadlock("") == 1


def test_a_single_holder_that_goes_on_is_enough_against_a_deadlock() -> None:
    with Scene(3) as scene:
        scene.hold(1, scene.never.wait)
        scene.hold(5, scene.take)
        assert scene.deadlock(after=LONG) == scene.deadlock(after=LONG) == 0


def test_connections_that_are_being_opened_are_no_deadlock() -> None:
    with Scene(3) as scene:
        scene.hang = "connecting"
        scene.hold(4, scene.take)
        assert scene.deadlock(after=LONG) == scene.deadlock(after=LONG) == 0


def test_a_queue_of_users_that_hold_nothing_is_no_deadlock() -> None:
    with Scene(3) as scene:
        scene.hold(8, scene.never.wait)
        assert [scene.deadlock(after=LONG) for _ in range(3)] == [0, 0, 0]


def test_a_pool_without_a_limit_never_deadlocks() -> None:
    with Scene(1, max_overflow=-1) as scene:
        scene.hold(3, scene.take)
        assert scene.recorder.deadlocks.limit is None
        assert scene.deadlock() == 0


def test_connections_that_ended_tasks_kept_are_a_leak_and_no_deadlock() -> None:
    with Scene(3) as scene:
        with scene.task("order") as work:
            kept = scene.take()
        work.over = True
        scene.hold(4, scene.take)
        assert scene.deadlock(after=LONG) == 0
        kept.close()


def test_a_deadlock_that_ended_is_no_longer_named() -> None:
    with Scene(3) as scene:
        scene.hold(3, scene.take)
        assert scene.deadlock() == 1
        gevent.killall(scene.users)
        assert scene.deadlock() == 0


# ---- Users that wait for helpers


def test_holders_whose_helpers_wait_are_named_after_a_while() -> None:
    with Scene(3) as scene:
        scene.hold(5, lambda: scene.helper(scene.take).join(), "page")
        found = [scene.deadlock("page", after) for after in (0, LONG, 1000, 1000)]
        assert found == [0, 0, 1, 1]


def test_a_failed_checkout_after_a_while_confirms_it() -> None:
    with Scene(3) as scene:
        helpers: list[Greenlet] = []

        def page() -> None:
            helpers.append(scene.helper(scene.take))
            scene.never.wait()

        scene.hold(3, page, "page")
        assert scene.deadlock("page", LONG) == 0
        helpers[0].kill(RuntimeError("the pool's timeout"))
        assert scene.deadlock("page") == 1


def test_helpers_that_got_their_connections_after_all_were_only_late() -> None:
    with Scene(3) as scene:
        done = Event()

        def page() -> None:
            scene.helper(lambda: scene.take().close())  # the page does not wait for it
            done.wait()

        scene.hold(3, page, "page")
        assert scene.deadlock("page", LONG) == 0
        done.set()
        others_go_on()
        assert scene.deadlock("page", 1000) == 0


def test_a_holder_in_a_query_is_not_stuck() -> None:
    with Scene(1) as scene:

        def page() -> None:
            with scene.task("page"), scene.engine.connect() as connection:
                scene.helper(scene.take)
                connection.exec_driver_sql("SELECT 2")

        scene.start(1, page)
        assert [scene.deadlock("page", LONG) for _ in range(3)] == [0, 0, 0]


def test_helpers_that_hold_and_wait_count_for_their_task() -> None:
    with Scene(3) as scene:
        begin = Event()

        def nested() -> None:
            with scene.engine.connect():
                begin.wait()
                scene.take()

        scene.hold(1, lambda: gevent.joinall([scene.helper(nested) for _ in "ab"]), "page")
        begin.set()
        others_go_on()
        assert [scene.deadlock("page", LONG) for _ in "ab"] == [0, 3]


@pytest.mark.parametrize(("helpers", "found"), [(3, [0, 1]), (2, [0, 0])])
def test_where_nothing_tells_whose_a_helper_is_each_holder_needs_one(
    helpers: int, found: list[int]
) -> None:
    with Scene(3) as scene:
        scene.hold(3, scene.never.wait, "page")
        scene.start(helpers, scene.take)
        assert [scene.deadlock("page", LONG) for _ in found] == found


@pytest.mark.parametrize(("helpers", "found"), [((1, 1, 1), [0, 1]), ((2, 1, 0), [0, 0])])
def test_a_helper_with_a_copied_context_is_known(
    helpers: tuple[int, ...], found: list[int]
) -> None:
    with Scene(3) as scene:
        jobs: Queue[Work] = Queue()
        left = list(helpers)

        def page() -> None:
            for _ in range(left.pop()):
                # As asyncio.to_thread does.
                jobs.put(partial(contextvars.copy_context().run, scene.take))
            scene.never.wait()

        def work() -> None:
            jobs.get()()

        scene.start(sum(helpers), work)
        scene.hold(3, page, "page")
        assert [scene.deadlock("page", LONG) for _ in found] == found


def test_a_user_without_a_task_is_known_during_its_checkout_only() -> None:
    """At the end of a thread, a reference to its greenlet costs a search of the whole heap."""
    with Bench(pool_size=1, max_overflow=0, pool_timeout=0.01) as bench:
        taken = bench.take()
        assert bench.recorder.deadlocks.helpers == {}
        with pytest.raises(PoolTimeout):
            bench.take()
        assert bench.recorder.deadlocks.helpers == {}
        taken.close()
