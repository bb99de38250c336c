"""Failures that a real server provokes are of the same kind with every driver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from sqlalchemy import URL, Engine, create_engine, text

from tests.database.test_failures import is_mariadb, kind_or_none, kind_raised_by
from tests.processes import until

pytestmark = pytest.mark.database
DRIVERS: dict[str, dict[str, Any]] = {
    "mysql+pymysql": {"ssl_disabled": True},
    "mysql+mysqldb": {},
    "mysql+mysqlconnector": {"use_pure": True, "ssl_disabled": True},
}
UPDATE = text("UPDATE driver_test SET n = n + 1 WHERE id = :id")
NUMBER = text("SELECT CONNECTION_ID()")


@pytest.fixture(params=DRIVERS)
def engine(request: pytest.FixtureRequest, url: URL, admin: Engine) -> Iterator[Engine]:
    """An engine of each driver, and two rows that can be locked."""
    made = create_engine(url.set(drivername=request.param), connect_args=DRIVERS[request.param])
    with admin.begin() as connection:
        connection.execute(text("CREATE TABLE driver_test (id INT PRIMARY KEY, n INT)"))
        connection.execute(text("INSERT INTO driver_test VALUES (1, 0), (2, 0)"))
    yield made
    made.dispose()
    with admin.begin() as connection:
        connection.execute(text("DROP TABLE driver_test"))


def test_a_lock_that_is_not_given_up_in_time(engine: Engine) -> None:
    with engine.connect() as holder, engine.connect() as waiter:
        waiter.execute(text("SET SESSION innodb_lock_wait_timeout = 1"))
        holder.execute(UPDATE, {"id": 1})
        assert kind_raised_by(lambda: waiter.execute(UPDATE, {"id": 1})) == "lock_wait_timeout"


def test_a_deadlock(engine: Engine) -> None:
    # A driver in C blocks its thread, so one of the two needs a thread of its own.
    blocks = engine.driver == "mysqldb"
    spawn = gevent.get_hub().threadpool.spawn if blocks else gevent.spawn
    with engine.connect() as one, engine.connect() as other:
        one.execute(UPDATE, {"id": 1})
        other.execute(UPDATE, {"id": 2})
        first = spawn(kind_or_none, lambda: one.execute(UPDATE, {"id": 2}))
        gevent.sleep(0.1)
        second = kind_or_none(lambda: other.execute(UPDATE, {"id": 1}))
        other.rollback()
        assert sorted(map(str, (first.get(), second))) == ["None", "deadlock"]


def test_a_statement_that_takes_too_long(engine: Engine, admin: Engine) -> None:
    # MariaDB counts in seconds, MySQL in milliseconds.
    limit = "max_statement_time = 0.05" if is_mariadb(admin) else "max_execution_time = 50"
    columns = ", ".join(f"information_schema.columns {name}" for name in "abc")
    with engine.connect() as connection:
        connection.execute(text(f"SET SESSION {limit}"))
        long = text(f"SELECT COUNT(*) FROM {columns}")
        assert kind_raised_by(lambda: connection.execute(long)) == "statement_timeout"
        connection.invalidate()


def test_a_connection_that_the_server_has_ended(engine: Engine, admin: Engine) -> None:
    with engine.connect() as connection, admin.connect() as killer:
        number = connection.scalar(NUMBER)
        there = text(f"SELECT 1 FROM information_schema.processlist WHERE id = {number}")
        killer.execute(text(f"KILL {number}"))
        until(lambda: not killer.scalar(there), "the connection to end")
        # MariaDB says why before it closes the connection, but not every driver reads that.
        kind = kind_raised_by(lambda: connection.execute(NUMBER))
        assert kind in ("gone_away", "lost_during_query", "connection_killed")
        connection.invalidate()


def _log_in_once(address: URL, admin: Engine) -> None:
    """Without TLS not every driver can send a password that MySQL does not have in its cache."""
    first = "mysql+pymysql"
    engine = create_engine(address.set(drivername=first), connect_args=DRIVERS[first])
    engine.connect().close()
    engine.dispose()
    there = text("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'single'")
    with admin.connect() as connection:
        until(lambda: not connection.scalar(there), "the connection to end")


def test_an_account_that_may_not_have_more_connections(engine: Engine, admin: Engine) -> None:
    account = "single@'127.0.0.1'"
    with admin.begin() as connection:
        limit = "IDENTIFIED BY 'x' WITH MAX_USER_CONNECTIONS 1"
        connection.execute(text(f"CREATE USER {account} {limit}"))
        connection.execute(text(f"GRANT ALL ON {engine.url.database}.* TO {account}"))
    address = engine.url.set(username="single", password="x")
    limited = create_engine(address, connect_args=DRIVERS[address.drivername])
    _log_in_once(address, admin)
    try:
        with limited.connect():
            assert kind_raised_by(limited.connect) == "user_limit"
    finally:
        limited.dispose()
        with admin.begin() as connection:
            connection.execute(text(f"DROP USER {account}"))
