"""The fair pool against SQLAlchemy's, whose queue lets those overtake who ask again at once."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from sqlalchemy import URL, Engine, Pool, QueuePool, create_engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.pool.fair_pool import FairPool

USERS, CONNECTIONS, CHECKOUTS = 200, 5, 2000


def checkouts_per_user(url: URL, poolclass: type[Pool]) -> list[int]:
    """How often each of many users got one of the first CHECKOUTS, in a loop that never pauses."""
    engine = create_engine(
        url,
        poolclass=poolclass,
        pool_size=CONNECTIONS,
        max_overflow=0,
        connect_args={"ssl_disabled": True},
        pool_timeout=60,
    )
    counts, at_the_end = [0] * USERS, list[int]()

    def user(number: int) -> None:
        while not at_the_end:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            counts[number] += 1
            if sum(counts) == CHECKOUTS:
                at_the_end.extend(counts)

    gevent.joinall([gevent.spawn(user, number) for number in range(USERS)], raise_error=True)
    engine.dispose()
    return at_the_end


@pytest.mark.server
def test_queuepool_starves_users_and_the_fair_pool_does_not(url: URL) -> None:
    starved = checkouts_per_user(url, QueuePool)
    fair = checkouts_per_user(url, FairPool)

    assert starved.count(0) > USERS / 2
    assert fair.count(0) == 0
    assert max(fair) - min(fair) <= CONNECTIONS


def connect_to_memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", check_same_thread=False)


@pytest.fixture
def fair_engine() -> Iterator[Callable[..., Engine]]:
    """Makes an engine with a fair pool of one connection, and disposes of it at the end."""
    made: list[Engine] = []

    def make(connect: Callable[[], Any] = connect_to_memory, **pool: Any) -> Engine:
        settings = {"pool_size": 1, "max_overflow": 0} | pool
        made.append(create_engine("sqlite://", creator=connect, poolclass=FairPool, **settings))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


def test_waiters_are_served_in_the_order_in_which_they_came(
    fair_engine: Callable[..., Engine],
) -> None:
    engine = fair_engine()
    order: list[int] = []

    def wait(number: int) -> None:
        with engine.connect():
            order.append(number)

    with engine.connect():
        waiters = [gevent.spawn(wait, number) for number in range(10)]
        gevent.sleep(0)
    gevent.joinall(waiters, raise_error=True)

    assert order == list(range(10))


def test_who_gives_up_leaves_the_queue(fair_engine: Callable[..., Engine]) -> None:
    engine = fair_engine(pool_timeout=0.05)

    with engine.connect(), pytest.raises(PoolTimeout):
        engine.connect()
    with engine.connect():
        assert engine.pool.checkedout() == 1  # type: ignore[attr-defined]

    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("handed_over", [False, True])
@pytest.mark.parametrize("others", [0, 1])
def test_a_waiter_who_is_killed_takes_no_connection_along(
    handed_over: bool, others: int, fair_engine: Callable[..., Engine]
) -> None:
    engine = fair_engine()
    holder = engine.raw_connection()
    waiters = [gevent.spawn(engine.raw_connection) for _ in range(1 + others)]
    gevent.sleep(0)

    # The kill arrives when the hub runs next: before the connection is handed over or just after.
    waiters[0].kill(block=not handed_over)
    holder.close()
    gevent.sleep(0)
    for other in waiters[1:]:
        other.get().close()

    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    engine.raw_connection().close()


def test_a_failed_connect_lets_the_next_waiter_try(fair_engine: Callable[..., Engine]) -> None:
    attempts: list[float] = []

    def connect() -> sqlite3.Connection:
        attempts.append(time.monotonic())
        if len(attempts) == 1:
            gevent.sleep(0.1)
            raise sqlite3.OperationalError("the server is not there yet")
        return connect_to_memory()

    engine = fair_engine(connect)
    first = gevent.spawn(engine.raw_connection)
    gevent.sleep(0)
    second = gevent.spawn(engine.raw_connection)
    gevent.joinall([first, second], timeout=10)

    assert isinstance(first.exception, Exception)
    assert second.successful()
    second.get().close()


def test_a_waiter_whose_own_connect_fails_lets_the_next_one_try(
    fair_engine: Callable[..., Engine],
) -> None:
    attempts = 0

    def connect() -> sqlite3.Connection:
        nonlocal attempts
        attempts += 1
        if attempts <= 2:
            gevent.sleep(0.05)
            raise sqlite3.OperationalError("the server is not there yet")
        return connect_to_memory()

    engine = fair_engine(connect)
    users = []
    for _ in range(3):
        users.append(gevent.spawn(engine.raw_connection))
        gevent.sleep(0)
    gevent.joinall(users, timeout=10)

    assert [type(user.exception) for user in users[:2]] == [sqlite3.OperationalError] * 2
    assert users[2].successful()
    users[2].get().close()


def test_overflow_works_as_in_queuepool_and_dispose_empties_it(
    fair_engine: Callable[..., Engine],
) -> None:
    engine = fair_engine(max_overflow=1)

    with engine.connect(), engine.connect():
        assert engine.pool.overflow() == 1  # type: ignore[attr-defined]
    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]

    engine.dispose()
    assert isinstance(engine.pool, FairPool)
    assert engine.pool.checkedin() == 0


def test_a_slot_that_a_failed_connect_frees_is_the_first_waiters_not_a_newcomers(
    fair_engine: Callable[..., Engine],
) -> None:
    attempts = 0

    def connect() -> sqlite3.Connection:
        nonlocal attempts
        attempts += 1
        gevent.sleep(0.05)
        if attempts == 1:
            raise sqlite3.OperationalError("the server is not there yet")
        return connect_to_memory()

    engine = fair_engine(connect)
    order: list[str] = []

    def first() -> None:
        with pytest.raises(sqlite3.OperationalError):
            engine.raw_connection()
        with engine.connect():  # asks again at once
            order.append("first")

    def second() -> None:
        with engine.connect():
            order.append("second")

    users = [gevent.spawn(first), gevent.spawn(second)]
    gevent.joinall(users, timeout=10, raise_error=True)

    assert order == ["second", "first"]


def test_a_waiter_killed_with_a_slot_in_hand_gives_it_back(
    fair_engine: Callable[..., Engine],
) -> None:
    engine = fair_engine()
    pool = engine.pool
    held = engine.raw_connection()
    waiter = gevent.spawn(engine.raw_connection)
    gevent.sleep(0)
    waiter.kill(block=False)
    pool._overflow += 1  # type: ignore[attr-defined] # what the slot stands for
    assert pool._pool.hand_over_slot()  # type: ignore[attr-defined]
    waiter.join()

    assert pool.checkedout() == 1  # type: ignore[attr-defined]
    held.close()
    assert (pool.checkedout(), pool.checkedin()) == (0, 1)  # type: ignore[attr-defined]
