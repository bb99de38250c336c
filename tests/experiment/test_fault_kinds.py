"""Each kind of fault on a real server: it breaks what it says, and is over when it should be."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import psutil
import pymysql
import pytest
from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, text
from sqlalchemy.exc import OperationalError

from loadtest.database.failure_kinds import error_code, kind_of
from loadtest.database.private_server import PrivateServer
from loadtest.experiment.faults.relay import Relay
from loadtest.experiment.faults.schedule import FaultSchedule
from loadtest.experiment.faults.switches import killing
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.model.fault import parse_fault
from tests.processes import until

pytestmark = pytest.mark.database
NUMBER = text("SELECT CONNECTION_ID()")


@pytest.fixture(scope="module")
def own() -> Iterator[PrivateServer]:
    """A server that no other test uses meanwhile."""
    with PrivateServer() as server:
        yield server


@contextmanager
def provoked(server: PrivateServer, fault: str) -> Iterator[tuple[URL, list[dict[str, object]]]]:
    """The address while a fault is on, which began at once, and what becomes of it."""
    with (
        closing(FaultSchedule([parse_fault(fault)], server.url, server)) as faults,
        faults.provoked(0) as happened,
    ):
        yield faults.url, happened


@contextmanager
def pool(url: URL, size: int) -> Iterator[tuple[Engine, list[int]]]:
    """An engine with a number of idle connections, and their numbers on the server."""
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=size, connect_args={"ssl_disabled": True}
    )
    with ExitStack() as taken:
        all_of_them = [taken.enter_context(engine.connect()) for _ in range(size)]
        numbers = [int(one.scalar(NUMBER) or 0) for one in all_of_them]
    try:
        yield engine, numbers
    finally:
        engine.dispose()


def alive(url: URL) -> set[int]:
    """The numbers of all connections that a server has."""
    engine = create_engine(url, connect_args={"ssl_disabled": True})
    with engine.connect() as connection:
        found = {int(row[0]) for row in connection.execute(text("SHOW PROCESSLIST"))}
    engine.dispose()
    return found


def connect(url: URL) -> Connection:
    engine = create_engine(url, connect_args={"ssl_disabled": True, "read_timeout": 20})
    return engine.connect()


@pytest.mark.parametrize(
    ("fault", "killed"), [("kill@0s", 8), ("kill:50%@0s", 4), ("kill:3@0s", 3)]
)
def test_so_many_connections_are_killed(own: PrivateServer, fault: str, killed: int) -> None:
    with pool(own.url, 8) as (_, numbers):
        with provoked(own, fault) as (_, happened):
            until(lambda: "end" in happened[0], "the fault to be over")
        assert "problem" not in happened[0]
        assert happened[0]["killed"] == killed
        until(lambda: len(alive(own.url) & set(numbers)) == 8 - killed, "them to be gone")


def test_only_the_connections_of_the_run_are_killed(own: PrivateServer) -> None:
    nobody = own.url.set(database="")
    with (
        closing(Relay(own.url)) as relay,
        pool(relay.url, 3) as (_, theirs),
        pool(own.url, 2) as (_, others),
        pool(nobody.set(host=relay.url.host, port=relay.url.port), 1) as (_, status),
    ):
        killing(own.url, parse_fault("kill@0s"), relay.pid)(True)
        until(lambda: not alive(own.url) & set(theirs), "those of the relay to be gone")
        assert {*others, *status} <= alive(own.url)


def test_who_finds_nothing_to_kill_says_so(own: PrivateServer) -> None:
    with closing(Relay(own.url)) as relay:
        switch = killing(own.url, parse_fault("kill@0s"), relay.pid)
        with pytest.raises(LoadtestError, match="has no connection of this run"):
            switch(True)


def test_who_comes_through_the_socket_file_is_not_of_the_run(own: PrivateServer) -> None:
    """The process list has no port of such a connection."""
    account = "local@'localhost'"
    with closing(connect(own.url)) as admin, closing(Relay(own.url)) as relay:
        admin.execute(text(f"CREATE USER {account} IDENTIFIED BY 'here'"))
        admin.execute(text(f"GRANT ALL ON {own.url.database}.* TO {account}"))
        local = pymysql.connect(
            user="local",
            password="here",
            database=own.url.database,
            unix_socket=str(own.folder / "socket"),
            ssl_disabled=True,
        )
        with closing(local), pool(relay.url, 2):
            assert killing(own.url, parse_fault("kill@0s"), relay.pid)(True) == 2
            assert local.thread_id() in alive(own.url)
        admin.execute(text(f"DROP USER {account}"))
        admin.engine.dispose()


def test_new_connections_are_refused_and_the_old_ones_stay(own: PrivateServer) -> None:
    with provoked(own, "refuse@0s+3600s") as (url, _), closing(Relay(own.url)) as relay:
        until(lambda: refused(url), "it to refuse")
        kept = connect(relay.url)
        relay.order("refuse", 1)
        until(lambda: refused(relay.url), "it to refuse")
        assert kept.scalar(text("SELECT 1")) == 1
        relay.order("refuse", 0)
        until(lambda: not refused(relay.url), "it to take connections again")
        kept.close()
        kept.engine.dispose()


def refused(url: URL) -> bool:
    """Whether no program listens at an address."""
    try:
        connection = connect(url)
    except OperationalError as error:
        return kind_of(error) == "refused"
    connection.close()
    connection.engine.dispose()
    return False


def test_a_relay_has_files_for_all_connections(own: PrivateServer) -> None:
    """Two for each, whatever the shell allows at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    try:
        relay = Relay(own.url)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with closing(relay), pool(relay.url, 80) as (_, numbers):
        assert len(set(numbers)) == 80


def test_a_relay_that_somebody_has_ended_is_told(own: PrivateServer) -> None:
    with closing(Relay(own.url)) as relay:
        psutil.Process(relay.pid).kill()
        assert "the relay for faults has ended" in until(lambda: ended(relay), "it to end")


def ended(relay: Relay) -> str:
    """What a relay that takes no orders any more says of itself; empty as long as it does."""
    try:
        relay.order("latency", 0.0)
    except LoadtestError as error:
        return str(error)
    return ""


def test_every_answer_is_late_and_none_is_torn(own: PrivateServer) -> None:
    begin = text("SELECT NOW(6)")
    long = "x" * 1_000_000
    with closing(Relay(own.url)) as relay:
        connection = connect(relay.url)
        relay.order("latency", 0.2)
        until(lambda: _seconds_of(connection, begin) >= 0.4, "it to be slow")
        echo = text("SELECT :long, :number")
        assert connection.execute(echo, {"long": long, "number": 7}).one() == (long, 7)
        relay.order("latency", 0)
        until(lambda: _seconds_of(connection, begin) < 0.4, "it to be quick")
        assert connection.execute(echo, {"long": long, "number": 8}).one() == (long, 8)
        connection.engine.dispose()
        connection.invalidate()


def _seconds_of(connection: Connection, query: object) -> float:
    begin = time.perf_counter()
    connection.execute(query)  # type: ignore[call-overload]
    return time.perf_counter() - begin


def test_idle_connections_are_dropped_but_not_those_at_work(own: PrivateServer) -> None:
    with closing(Relay(own.url)) as relay:
        idle, busy = connect(relay.url), connect(relay.url)
        idle_number, busy_number = idle.scalar(NUMBER), busy.scalar(NUMBER)
        relay.order("idle-drop", 0.3)
        assert busy.scalar(text("SELECT SLEEP(1)")) == 0
        relay.order("idle-drop", 0)
        until(lambda: idle_number not in alive(own.url), "the idle one to be gone")
        with pytest.raises(OperationalError) as error:
            idle.scalar(NUMBER)
        assert kind_of(error.value) in ("gone_away", "lost_during_query")
        assert busy.scalar(NUMBER) == busy_number
        for connection in (idle, busy):
            connection.invalidate()
            connection.close()


def test_the_servers_limit_is_lowered_and_raised_again(own: PrivateServer) -> None:
    limit = text("SELECT @@GLOBAL.max_connections")
    before = connect(own.url)
    with provoked(own, "max-connections:10@0s+3600s") as (url, _), ExitStack() as taken:
        until(lambda: before.scalar(limit) == 10, "the limit")
        with pytest.raises(OperationalError) as error:  # noqa: PT012
            for _ in range(20):
                taken.enter_context(closing(connect(url)))
        assert error_code(error.value) == 1040
    assert before.scalar(limit) == own.limit
    before.close()
    before.engine.dispose()


def test_a_server_is_away_and_comes_back_as_it_was(own: PrivateServer) -> None:
    before, old = own.process, connect(own.url)
    old.execute(text("CREATE TABLE kept (n INT)"))
    old.execute(text("INSERT INTO kept VALUES (7)"))
    old.commit()
    with provoked(own, "restart@0s+3600s"):
        until(lambda: refused(own.url), "it to be away")
        until(lambda: not before.is_running(), "its process to end")
    assert own.process.pid != before.pid
    with pytest.raises(OperationalError):
        old.scalar(text("SELECT n FROM kept"))
    with closing(connect(own.url)) as new:
        assert new.scalar(text("SELECT n FROM kept")) == 7
        new.execute(text("DROP TABLE kept"))
        new.engine.dispose()
    old.invalidate()
    old.close()


def test_a_restart_without_a_length_is_over_as_soon_as_it_answers(own: PrivateServer) -> None:
    before = own.process.pid
    with provoked(own, "restart@0s") as (_, happened):
        until(lambda: "end" in happened[0], "the server to be back")
        assert own.process.pid != before
        assert not refused(own.url)


def test_what_goes_wrong_is_told_and_harms_nobody(own: PrivateServer) -> None:
    wrong = own.url.set(password="wrong")
    with closing(FaultSchedule([parse_fault("kill@0s")], wrong, None)) as faults:
        with faults.provoked(0) as happened:
            until(lambda: "end" in happened[0], "the fault to be over")
        assert "Access denied" in str(happened[0]["problem"])
        assert "wrong" not in str(happened[0]["problem"])


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        ("restart@1s", "restarted"),
        ("max-connections:10@1s+1s", "limited"),
        ("freeze@1s+1s", "frozen"),
    ],
)
def test_what_harms_others_is_done_to_a_private_server_only(
    fault: str, done: str, url: URL
) -> None:
    with pytest.raises(UsageError, match=f"only a private server can be {done}; leave out"):
        FaultSchedule([parse_fault(fault)], url, None)
