"""What a server lets in, to the very connection: the computed number opens, one more does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pymysql
import pytest
from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from loadtest.analysis.fleet.capacity import (
    MAX_CONNECTIONS,
    Capacity,
    Fleet,
    ServerLimits,
    capacity_numbers,
)
from loadtest.cli.capacity import server_of
from loadtest.database.failure_kinds import error_code
from loadtest.database.preflight.occupancy import occupancy
from loadtest.database.private_server import PrivateServer
from loadtest.model.errors import UsageError

PATIENCE_SECONDS = 60
Account = Callable[..., URL]
pytestmark = pytest.mark.database


class SmallServer(PrivateServer):
    """A private server for every account of which there are few connections, and few files."""

    def _script(self) -> str:
        # MySQL keeps 810 files for other things, and lowers max_connections to the rest.
        files = 1400 if self.program.kind == "mysql" else 400
        return f"ulimit -n {files} && {super()._script()}"

    def _command(self) -> list[str]:
        return [*super()._command(), "--max-connections=1000", "--max-user-connections=900"]


@pytest.fixture(scope="module")
def small() -> Iterator[PrivateServer]:
    with SmallServer() as server:
        yield server


@contextmanager
def accounts(connection: Connection, url: URL) -> Iterator[Account]:
    """Makes accounts for as long as the block lasts."""
    made = []

    def make(name: str, limit: int = 0, right: str = "") -> URL:
        account = f"{name}@'127.0.0.1'"
        made.append(account)
        options = f"IDENTIFIED BY 'of-many' WITH MAX_USER_CONNECTIONS {limit}"
        connection.execute(text(f"CREATE USER {account} {options}"))
        connection.execute(text(f"GRANT SELECT ON {url.database}.* TO {account}"))
        if right:
            connection.execute(text(f"GRANT {right} ON *.* TO {account}"))
        return url.set(username=name, password="of-many")

    try:
        yield make
    finally:
        for account in made:
            connection.execute(text(f"DROP USER {account}"))


@pytest.fixture
def connection(admin: Engine) -> Iterator[Connection]:
    with admin.connect() as connection:
        yield connection


@pytest.fixture
def account(connection: Connection, url: URL) -> Iterator[Account]:
    with accounts(connection, url) as make:
        yield make


def named_by(server: PrivateServer, right: str) -> str:
    """A right as the server writes it."""
    mysql = server.program.kind == "mysql" and right == "CONNECTION ADMIN"
    return "CONNECTION_ADMIN" if mysql else right


def alone(connection: Connection) -> None:
    """Wait until the server has forgotten all others: it does so a little after they leave."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status = connection.execute(text("SHOW GLOBAL STATUS LIKE 'Threads_connected'")).one()
        if int(status[1]) == 1:
            return
        time.sleep(0.05)
    raise AssertionError("others are still connected")


@pytest.fixture
def few(connection: Connection) -> Iterator[int]:
    """How many connections the server lets in for as long as a test lasts."""
    alone(connection)
    before = connection.scalar(text("SELECT @@max_connections"))
    connection.execute(text("SET GLOBAL max_connections = 30"))
    yield 30
    connection.execute(text(f"SET GLOBAL max_connections = {before}"))


def answer(url: URL, **fleet: Any) -> Capacity:
    """What the command answers for this server, without a reserve."""
    said = {"processes": 1, "replicas": 1, "surge": 0, "pool": {"pool_size": 5, "max_overflow": 0}}
    address = url.render_as_string(hide_password=False)
    return capacity_numbers(Fleet(**(said | fleet)), server_of(address, None, {"reserve": 0}))


def opened(url: URL, most: int, read_timeout: float | None = None) -> tuple[int, int | None]:
    """How many connections could be opened at once, and the number of the error that ended it."""
    with ExitStack() as kept:
        for number in range(most):
            try:
                one = pymysql.connect(
                    host=url.host or "",
                    port=url.port or 0,
                    user=url.username,
                    password=str(url.password),
                    database=url.database,
                    ssl_disabled=True,
                    read_timeout=read_timeout,
                )
            except pymysql.Error as error:
                return number, error_code(error)
            kept.callback(one.close)
    return most, None


def test_what_a_server_says_of_itself(account: Account, connection: Connection, few: int) -> None:
    url = account("loadtest_plain")
    now = occupancy(url)
    assert now.max_connections == few
    assert (now.max_user_connections, now.own_limit, now.privileged) == (0, False, False)
    assert (now.connected, now.of_account) == (1, 0)  # the test's own, which has another account
    assert now.peak >= 2
    variables = connection.execute(text("SELECT @@open_files_limit, @@wait_timeout")).one()
    assert int(now.variables["open_files_limit"]) == variables[0]
    assert int(now.variables["wait_timeout"]) == variables[1]
    assert 0 < now.files_left < variables[0]


def test_it_reads_on_one_connection_and_leaves_none(
    account: Account, connection: Connection
) -> None:
    url = account("loadtest_plain")
    alone(connection)
    counted = text("SHOW GLOBAL STATUS LIKE 'Connections'")
    before = int(connection.execute(counted).one()[1])
    connection.execute(text("SET GLOBAL read_only = 1"))
    try:
        occupancy(url)
    finally:
        connection.execute(text("SET GLOBAL read_only = 0"))
    assert int(connection.execute(counted).one()[1]) == before + 1
    alone(connection)


def test_the_number_is_exact_error_1040_comes_with_the_next(
    account: Account, connection: Connection, few: int
) -> None:
    url = account("loadtest_plain")
    with ExitStack() as others:
        for _ in range(4):
            engine = create_engine(url, connect_args={"ssl_disabled": True})
            others.callback(engine.dispose)
            others.enter_context(engine.connect())
        room = answer(url).binding.room
        assert room == few - 5
        assert opened(url, room) == (room, None)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while occupancy(url).connected > 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert opened(url, room + 1) == (room, 1040)


def _fleet_of_three(url: URL, size: int) -> int | None:
    """Opens all connections of three pools; the number of the error of the last, if one fails."""
    with ExitStack() as kept:
        for _ in range(3):
            engine = create_engine(
                url, pool_size=size, max_overflow=0, connect_args={"ssl_disabled": True}
            )
            kept.callback(engine.dispose)
            assert isinstance(engine.pool, QueuePool)
            for _ in range(size):
                try:
                    kept.enter_context(engine.connect())
                except OperationalError as error:
                    return error_code(error)
    return None


def test_the_safe_pool_opens_all_of_its_connections_and_a_larger_one_does_not(
    account: Account, connection: Connection, few: int
) -> None:
    url = account("loadtest_plain")
    (safe,) = answer(url, processes=3).safe
    assert (safe.pool_size, safe.connections) == ((few - 1) // 3, 27)
    assert _fleet_of_three(url, safe.pool_size or 0) is None
    alone(connection)
    assert _fleet_of_three(url, (safe.pool_size or 0) + 1) == 1040


def test_an_accounts_own_limit_is_exact_error_1226_comes_with_the_next(
    account: Account, few: int
) -> None:
    url = account("loadtest_seven", limit=7)
    limited = answer(url)
    assert (limited.server.own_limit, limited.binding.room) == (True, 7)
    assert opened(url, 8) == (7, 1226)


def test_with_its_own_connections_beside_it_an_account_has_less(account: Account) -> None:
    url = account("loadtest_seven", limit=7)
    engine = create_engine(url, connect_args={"ssl_disabled": True})
    with engine.connect(), engine.connect():
        assert answer(url).server.others_of_account == 2
        assert answer(url).binding.room == 5
    engine.dispose()


@pytest.mark.parametrize("right", ["SUPER", "CONNECTION ADMIN", "ALL PRIVILEGES"])
def test_a_privileged_account_takes_the_administrators_place(
    account: Account, few: int, right: str, server: PrivateServer
) -> None:
    url = account("loadtest_super", right=named_by(server, right))
    one = answer(url)
    version = tuple(map(int, server.program.version.split(".")))
    enough = right != "SUPER" or server.program.kind == "mysql" or version < (11, 0)
    assert one.server.privileged is enough
    assert opened(url, few + 5) == (one.binding.room + enough, 1040)


@pytest.mark.parametrize("right", ["PROCESS", "RELOAD, SHOW DATABASES"])
def test_other_rights_are_no_privilege(account: Account, right: str) -> None:
    assert not occupancy(account("loadtest_process", right=right)).privileged


def test_a_limit_of_all_accounts_is_error_1203_and_exact(small: PrivateServer) -> None:
    engine = create_engine(small.url, connect_args={"ssl_disabled": True})
    with engine.connect() as connection, accounts(connection, small.url) as make:
        url, above = (
            make("loadtest_plain"),
            make("loadtest_above", right=named_by(small, "CONNECTION ADMIN")),
        )
        # It can be changed while the server runs only where it was set at its start.
        connection.execute(text("SET GLOBAL max_user_connections = 6"))
        plain = answer(url)
        assert (plain.server.max_user_connections, plain.server.own_limit) == (6, False)
        assert opened(url, 7) == (6, 1203)
        exempt = small.program.kind == "mariadb"
        assert answer(above).server.max_user_connections == (0 if exempt else 6)
        assert opened(above, 12) == ((12, None) if exempt else (6, 1203))
        connection.execute(text("SET GLOBAL max_user_connections = 900"))
    engine.dispose()


def test_a_server_short_of_files_lets_in_what_was_computed_and_far_from_max_connections(
    small: PrivateServer,
) -> None:
    engine = create_engine(small.url, connect_args={"ssl_disabled": True})
    with engine.connect() as connection, accounts(connection, small.url) as make:
        url = make("loadtest_plain")
        alone(connection)
        short = answer(url)
        room = short.binding.room
        if small.program.kind == "mysql":
            assert short.server.max_connections < 1000, "it has lowered it"
            assert short.binding.setting == MAX_CONNECTIONS
            assert opened(url, room + 1) == (room, 1040)
            return
        assert short.server.max_connections == 1000
        assert short.binding.setting == "open_files_limit"
        assert 200 < room < 400
        assert opened(url, room, read_timeout=30) == (room, None)
        alone(connection)
        # The one for which there is no file gets no answer: until its own timeout.
        most, error = opened(url, 400, read_timeout=1)
        assert room <= most < 400
        assert error == 2013
    engine.dispose()


def test_nobody_there_is_told_with_what_there_is_to_do() -> None:
    nobody = make_url("mysql+pymysql://u:s3cr3t@127.0.0.1:1/d")
    with pytest.raises(UsageError) as refused:
        occupancy(nobody)
    (problem,) = refused.value.problems
    assert problem.startswith("no database answers at 127.0.0.1:1")
    assert problem.endswith("With --max-connections N, no database is needed")


def test_what_is_told_goes_before_what_is_asked(url: URL) -> None:
    address = url.render_as_string(hide_password=False)
    told = server_of(address, 3, {"max_connections": 77, "max_user_connections": None})
    assert (told.max_connections, told.others, told.counted) == (77, 3, False)
    assert isinstance(told, ServerLimits)
    assert (
        capacity_numbers(
            Fleet(processes=1, replicas=1, surge=0, pool={"pool_size": 5, "max_overflow": 0}), told
        )
        .limits[0]
        .setting
        == MAX_CONNECTIONS
    )
