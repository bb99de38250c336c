"""Every failure that a real server provokes is of the kind that it should be."""

import socket

import gevent
import pymysql
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from loadtest.database.failure_kinds import error_code, kind_of


@pytest.fixture
def engine(url):
    """An engine on the real database."""
    made = create_engine(url, connect_args={"ssl_disabled": True})
    yield made
    made.dispose()


@pytest.fixture
def rows(engine):
    """Two rows that can be locked."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE failure_test (id INT PRIMARY KEY, n INT)"))
        connection.execute(text("INSERT INTO failure_test VALUES (1, 0), (2, 0)"))
    yield text("UPDATE failure_test SET n = n + 1 WHERE id = :id")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE failure_test"))


def kind_raised_by(work) -> str:
    """The kind of what a piece of work raises."""
    with pytest.raises(Exception) as raised:  # noqa: PT011
        work()
    return kind_of(raised.value)


@pytest.mark.database
def test_a_deadlock(engine, rows):
    with engine.connect() as one, engine.connect() as other:
        one.execute(rows, {"id": 1})
        other.execute(rows, {"id": 2})
        ends = [
            gevent.spawn(end_of, connection, rows, number)
            for connection, number in ((one, 2), (other, 1))
        ]
        gevent.joinall(ends, raise_error=True)
    assert sorted(str(end.value) for end in ends) == ["None", "deadlock"]


def end_of(connection, update, number) -> str | None:
    """How a transaction ends that updates one row more."""
    kind = kind_or_none(lambda: connection.execute(update, {"id": number}))
    connection.rollback()
    return kind


def kind_or_none(work) -> str | None:
    """The kind of what a piece of work raises, if it does."""
    try:
        work()
    except SQLAlchemyError as error:
        return kind_of(error)
    return None


@pytest.mark.database
def test_a_lock_that_is_not_given_up_in_time(engine, rows):
    with engine.connect() as holder, engine.connect() as waiter:
        waiter.execute(text("SET SESSION innodb_lock_wait_timeout = 1"))
        holder.execute(rows, {"id": 1})
        assert kind_raised_by(lambda: waiter.execute(rows, {"id": 1})) == "lock_wait_timeout"


def has_variable(engine, name) -> bool:
    """Whether the server knows a variable: servers differ in what they can limit."""
    with engine.connect() as connection:
        return connection.execute(text(f"SHOW VARIABLES LIKE '{name}'")).first() is not None


def is_mariadb(engine) -> bool:
    """Whether the server is MariaDB, else MySQL."""
    with engine.connect() as connection:
        return "MariaDB" in connection.scalar(text("SELECT VERSION()"))


def kind_after_a_change(engine, update, first, *settings) -> str | None:
    """How a transaction ends that changes row 1 after `first`, and after a change by another."""
    with engine.connect() as own, engine.connect() as other:
        for setting in settings:
            own.execute(text(f"SET SESSION {setting}"))
        own.commit()
        own.execute(text(first))
        other.execute(update, {"id": 1})
        other.commit()
        kind = kind_or_none(lambda: own.execute(update, {"id": 1}))
        own.invalidate()  # its settings are for this test
        return kind


READ, READ_ANOTHER = (f"SELECT n FROM failure_test WHERE id = {row}" for row in (1, 2))


@pytest.mark.database
@pytest.mark.parametrize("first", [READ, READ_ANOTHER, READ_ANOTHER + " FOR UPDATE", "DO 0"])
@pytest.mark.parametrize("snapshot", ["ON", "OFF"])
def test_a_row_that_changed_after_the_snapshot(engine, rows, first, snapshot):
    # MySQL, and MariaDB without that setting, change the newer row; so do those who read nothing,
    # since locking reads open no snapshot.
    settings, expected = [], None
    if has_variable(engine, "innodb_snapshot_isolation"):
        settings = [f"innodb_snapshot_isolation = {snapshot}"]
        expected = "write_conflict" if snapshot == "ON" and first in (READ, READ_ANOTHER) else None
    assert kind_after_a_change(engine, rows, first, *settings) == expected


@pytest.mark.database
def test_under_read_committed_every_statement_has_its_own_snapshot(engine, rows):
    level = (
        "transaction_isolation"
        if has_variable(engine, "transaction_isolation")
        else ("tx_isolation")
    )
    assert kind_after_a_change(engine, rows, READ, f"{level} = 'READ-COMMITTED'") is None


LONG = text(
    "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, "
    "information_schema.columns c"
)


@pytest.mark.database
def test_a_statement_that_takes_too_long(engine):
    # MariaDB counts in seconds, MySQL in milliseconds.
    limit = "max_statement_time = 0.05" if is_mariadb(engine) else "max_execution_time = 50"
    with engine.connect() as connection:
        connection.execute(text(f"SET SESSION {limit}"))
        assert kind_raised_by(lambda: connection.execute(LONG)) == "statement_timeout"
        connection.invalidate()


@pytest.mark.database
def test_a_query_that_somebody_ends(engine, admin):
    with engine.connect() as connection, admin.connect() as killer:
        number = connection.scalar(text("SELECT CONNECTION_ID()"))
        query = gevent.spawn(kind_or_none, lambda: connection.execute(LONG))
        while not killer.scalar(running_query(number, "information_schema.columns a")):
            gevent.sleep(0.01)
        killer.execute(text(f"KILL QUERY {number}"))
        assert query.get(timeout=60) == "query_interrupted"


def running_query(number, words):
    """A question that the server answers with 1 while a connection runs such a query."""
    return text(
        f"SELECT 1 FROM information_schema.processlist WHERE id = {number} "
        f"AND info LIKE '%{words}%'"
    )


@pytest.mark.database
def test_a_locked_row_that_is_not_waited_for(engine, rows):
    expected = "lock_wait_timeout" if is_mariadb(engine) else "lock_not_available"
    with engine.connect() as holder, engine.connect() as asking:
        holder.execute(rows, {"id": 1})
        now = text(f"{READ} FOR UPDATE NOWAIT")
        assert kind_raised_by(lambda: asking.execute(now)) == expected


@pytest.mark.database
def test_a_connection_that_was_idle_for_too_long(engine, admin):
    with engine.connect() as connection, admin.connect() as asking:
        number = connection.scalar(text("SELECT CONNECTION_ID()"))
        connection.execute(text("SET SESSION wait_timeout = 1"))
        connected = text(f"SELECT 1 FROM information_schema.processlist WHERE id = {number}")
        while asking.scalar(connected):
            gevent.sleep(0.05)
        if is_mariadb(engine):
            kind = kind_raised_by(lambda: connection.execute(text("SELECT 1")))
            assert kind in ("gone_away", "lost_during_query")
            return
        # Before it closes the connection MySQL sends an error out of turn: PyMySQL takes its
        # number as a break in the order of packets, which is 2013.
        driver = connection.connection.driver_connection
        driver._next_seq_id = 0
        with pytest.raises(pymysql.OperationalError) as raised:
            driver._read_packet()
        connection.invalidate()
        assert error_code(raised.value) == 4031
        assert kind_of(raised.value) == "gone_away"


@pytest.mark.database
def test_a_write_to_a_server_that_is_read_only(url, admin, rows):
    with admin.begin() as connection:
        connection.execute(text("CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'x'"))
        connection.execute(text("GRANT SELECT, UPDATE ON loadtest.* TO reader@'127.0.0.1'"))
        connection.execute(text("SET GLOBAL read_only = 1"))
    address = url.set(username="reader", password="x")
    engine = create_engine(address, connect_args={"ssl_disabled": True})
    try:
        with engine.connect() as connection:
            kind = kind_raised_by(lambda: connection.execute(rows, {"id": 1}))
        assert kind == "read_only"
    finally:
        engine.dispose()
        with admin.begin() as connection:
            connection.execute(text("SET GLOBAL read_only = 0"))
            connection.execute(text("DROP USER reader@'127.0.0.1'"))


@pytest.mark.database
def test_a_table_that_has_no_room_left(engine):
    with engine.connect() as connection:
        connection.execute(text("SET SESSION max_heap_table_size = 16384"))
        connection.execute(text("CREATE TEMPORARY TABLE small (x CHAR(255)) ENGINE = MEMORY"))
        rows = text(
            "INSERT INTO small SELECT REPEAT('x', 255) FROM information_schema.columns LIMIT 1000"
        )
        assert kind_raised_by(lambda: connection.execute(rows)) == "disk_full"


@pytest.mark.database
def test_a_connection_that_the_server_has_killed(engine, admin):
    with engine.connect() as connection, admin.connect() as killer:
        number = connection.scalar(text("SELECT CONNECTION_ID()"))
        killer.execute(text(f"KILL {number}"))
        # Which of the two depends on whether the system already knows at the time of writing.
        kind = kind_raised_by(lambda: connection.execute(text("SELECT 1")))
        assert kind in ("gone_away", "lost_during_query")


@pytest.mark.database
def test_a_connection_that_breaks_before_the_query(engine):
    with engine.connect() as connection:
        connection.connection.driver_connection._sock.shutdown(socket.SHUT_RDWR)
        assert kind_raised_by(lambda: connection.execute(text("SELECT 1"))) == "gone_away"


@pytest.mark.database
def test_a_connection_that_breaks_in_the_middle_of_a_query(engine, admin):
    with engine.connect() as connection, admin.connect() as killer:
        number = connection.scalar(text("SELECT CONNECTION_ID()"))
        query = gevent.spawn(kind_or_none, lambda: connection.execute(text("SELECT SLEEP(60)")))
        while not killer.scalar(running_query(number, "SLEEP")):
            gevent.sleep(0.01)
        killer.execute(text(f"KILL {number}"))
        assert query.get(timeout=60) == "lost_during_query"


@pytest.mark.database
def test_an_account_that_may_not_have_more_connections(url, admin):
    with admin.begin() as connection:
        connection.execute(
            text("CREATE USER one@'127.0.0.1' IDENTIFIED BY 'x' WITH MAX_USER_CONNECTIONS 1")
        )
        connection.execute(text("GRANT ALL ON loadtest.* TO one@'127.0.0.1'"))
    address = url.set(username="one", password="x")
    engine = create_engine(address, connect_args={"ssl_disabled": True})
    try:
        with engine.connect():
            assert kind_raised_by(engine.connect) == "user_limit"
    finally:
        engine.dispose()
        with admin.begin() as connection:
            connection.execute(text("DROP USER one@'127.0.0.1'"))
