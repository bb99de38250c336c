"""Every failure is of one of few kinds, told apart by the numbers of the server and the system."""

import errno
import socket

import gevent
import pymysql
import pytest
from sqlalchemy import QueuePool, create_engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.analysis import kinds
from loadtest.database.failures import CODES, KINDS, error_code, kind_of, words_of


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


# ---- Real ones


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


def test_a_port_where_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        engine = create_engine(f"mysql+pymysql://u:p@127.0.0.1:{taken.getsockname()[1]}/d")
        assert kind_raised_by(engine.connect) == "refused"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EMFILE, "no_file_descriptor"),
        (errno.ENFILE, "no_file_descriptor"),
        (errno.EADDRNOTAVAIL, "no_local_port"),
        (errno.ECONNREFUSED, "refused"),
        (errno.EHOSTUNREACH, "other"),
    ],
)
def test_what_the_system_refuses_while_connecting(monkeypatch, number, kind):
    def refuse(*args, **options):
        raise OSError(number, "refused by a test")

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert kind_raised_by(create_engine("mysql+pymysql://u:p@h/d").connect) == kind


def test_a_pool_that_gives_nothing_in_time():
    engine = create_engine(
        "sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    with engine.connect():
        assert kind_raised_by(engine.connect) == "pool_timeout"
    engine.dispose()


# ---- Constructed ones


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1020, "write_conflict"),
        (3101, "write_conflict"),
        (1213, "deadlock"),
        (1205, "lock_wait_timeout"),
        (3572, "lock_not_available"),
        (3024, "statement_timeout"),
        (1969, "statement_timeout"),
        (1317, "query_interrupted"),
        (1927, "connection_killed"),
        (1053, "server_shutdown"),
        (2006, "gone_away"),
        (4031, "gone_away"),
        (2013, "lost_during_query"),
        (1290, "read_only"),
        (1836, "read_only"),
        (1040, "too_many_connections"),
        (1203, "user_limit"),
        (1226, "user_limit"),
        (1129, "host_blocked"),
        (1021, "disk_full"),
        (1114, "disk_full"),
    ],
)
def test_numbers_of_the_server(code, kind):
    error = pymysql.err.OperationalError(code, "what the server says: --read-only")
    assert kind_of(error) == kind
    assert kind_of(OperationalError("SELECT 1", {}, error)) == kind
    assert error_code(OperationalError("SELECT 1", {}, error)) == code


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no number"),
        KeyError(1213),  # a number, but not the server's
        OSError(errno.ECONNREFUSED, "of something else than the database"),
        Exception(),
        pymysql.err.OperationalError(1064, "a mistake in the SQL"),
        pymysql.err.OperationalError(1290, "running with the --secure-file-priv option"),
        pymysql.err.OperationalError(2003, "no cause"),
        pymysql.err.InterfaceError(0, ""),
        pymysql.err.Error("Already closed"),
        GeneratorExit(),
    ],
)
def test_everything_else_is_of_no_kind_of_its_own(error):
    assert kind_of(error) == "other"


def test_a_pools_timeout_needs_no_number():
    assert kind_of(PoolTimeout("QueuePool limit of size 5 overflow 10 reached")) == "pool_timeout"


def test_the_kinds_are_few_and_each_has_an_explanation():
    assert len(set(KINDS)) == len(KINDS)
    assert {"pool_timeout", "other", *CODES.values()} <= set(KINDS)
    assert set(kinds.KINDS) == set(KINDS)
    assert [kind for kind in KINDS if not kinds.advice(kind)] == []
    assert len({kinds.label(kind) for kind in KINDS}) == len(KINDS)


def test_every_number_of_the_server_is_tried():
    (cases,) = test_numbers_of_the_server.pytestmark
    assert {code for code, _ in cases.args[1]} == CODES.keys()


def test_an_error_is_told_in_the_words_of_the_driver_and_without_parameters() -> None:
    secret = OperationalError("INSERT", {"password": "hush"}, ValueError("Deadlock found"))
    assert words_of(secret) == "Deadlock found"
    assert len(words_of(KeyError("x" * 1000))) == 300
