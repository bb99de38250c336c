"""Pools that ask for more connections than the server or the account may have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, Engine, text

from tests.findings.runs import Found, found_in

pytestmark = pytest.mark.database


@pytest.fixture
def connection(admin: Engine) -> Iterator[Connection]:
    with admin.connect() as connection:
        yield connection


@pytest.fixture
def accepted(connection: Connection) -> Iterator[int]:
    """How many connections the server accepts for as long as a test lasts: nine more than it has.

    Fewer than ten it does not take.
    """
    before = connection.scalar(text("SELECT @@max_connections"))
    connected = connection.execute(text("SHOW STATUS LIKE 'Threads_connected'")).one()[1]
    limit = int(connected) + 9
    connection.execute(text(f"SET GLOBAL max_connections = {limit}"))
    yield limit
    connection.execute(text(f"SET GLOBAL max_connections = {before}"))


@pytest.fixture
def limited(connection: Connection, url: URL) -> Iterator[URL]:
    """An account that may have two connections; one of them asks for the server's status."""
    account = "loadtest_limited@'127.0.0.1'"
    connection.execute(
        text(f"CREATE USER {account} IDENTIFIED BY 'of-two' WITH MAX_USER_CONNECTIONS 2")
    )
    connection.execute(text(f"GRANT ALL ON {url.database}.* TO {account}"))
    yield url.set(username="loadtest_limited", password="of-two")
    connection.execute(text(f"DROP USER {account}"))


def test_a_pool_beyond_what_the_server_accepts_is_told_with_what_it_refused(
    tmp_path: Path, url: URL, accepted: int
) -> None:
    pool = "-u 20 -r 20 -t 3s --pool-size 5 --max-overflow -1 --allow-overload"
    findings = found_in(tmp_path, url, "query.py", run=pool)["run"]
    exceeds = findings["exceeds_server"]
    assert exceeds.severity == "error"
    assert exceeds.evidence["limit"] is None
    assert exceeds.evidence["max_connections"] == accepted
    refused = findings["errors_too_many_connections"].evidence["count"]
    assert f"it refused {refused} requests" in exceeds.message


def test_a_pool_that_only_may_exceed_the_server_is_told_so(
    tmp_path: Path, url: URL, accepted: int
) -> None:
    load = "-u 2 -r 2 -t 3s --pool-size 2 --max-overflow"
    found = found_in(tmp_path, url, "query.py", may=f"{load} 100", within=f"{load} 0")
    exceeds = found["may"]["exceeds_server"]
    assert exceeds.severity == "info"
    assert exceeds.evidence == {"limit": 102, "processes": 1, "max_connections": accepted}
    assert "exceeds_server" not in found["within"]


def _queueing(folder: Path, url: URL, poolclass: str) -> Found:
    load = "-u 24 -r 24 -t 4s --query-seconds 1 --think-seconds 0.5"
    pool = f"--poolclass {poolclass} --pool-size 4 --max-overflow 0 --allow-overload"
    return found_in(folder, url, "query.py", run=f"{load} {pool}")["run"]


def test_users_sleep_beside_room_in_the_pool_after_failed_connects(
    tmp_path: Path, limited: URL
) -> None:
    findings = _queueing(tmp_path, limited, "QueuePool")
    evidence = findings["sleeping_waiters"].evidence
    assert evidence["limit"] == 4
    assert evidence["seconds"] >= 2
    assert evidence["failed"] == findings["errors_user_limit"].evidence["count"] > 2


def test_a_pool_that_wakes_them_has_no_sleepers(tmp_path: Path, limited: URL) -> None:
    findings = _queueing(tmp_path, limited, "FairPool")
    assert "errors_user_limit" in findings
    assert "sleeping_waiters" not in findings
