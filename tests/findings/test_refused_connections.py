"""Pools that ask for more connections than the server or the account may have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import URL, Connection, NullPool, create_engine, text

from tests.findings.runs import Found, Provoked, found

pytestmark = pytest.mark.provoked
# Few, and yet more than the ones who look at the server and its status take.
ACCEPTED = 12


@contextmanager
def _connected(provoked: Provoked) -> Iterator[Connection]:
    engine = create_engine(provoked.url, poolclass=NullPool, connect_args={"ssl_disabled": True})
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def accepted(provoked: Provoked) -> Iterator[None]:
    """Makes a live server accept few connections."""
    if not provoked.live:
        yield
        return
    with _connected(provoked) as connection:
        before = connection.scalar(text("SELECT @@max_connections"))
        connection.execute(text(f"SET GLOBAL max_connections = {ACCEPTED}"))
        yield
        connection.execute(text(f"SET GLOBAL max_connections = {before}"))


@pytest.fixture
def limited(provoked: Provoked) -> Iterator[URL | None]:
    """A live server's account with two connections; one of them asks for the server's status."""
    if not provoked.live:
        yield None
        return
    account = "loadtest_limited@'127.0.0.1'"
    with _connected(provoked) as connection:
        connection.execute(
            text(f"CREATE USER {account} IDENTIFIED BY 'of-two' WITH MAX_USER_CONNECTIONS 2")
        )
        connection.execute(text(f"GRANT ALL ON {provoked.url.database}.* TO {account}"))
        yield provoked.url.set(username="loadtest_limited", password="of-two")
        connection.execute(text(f"DROP USER {account}"))


@pytest.mark.usefixtures("accepted")
def test_a_pool_beyond_what_the_server_accepts_is_told_with_what_it_refused(
    provoked: Provoked,
) -> None:
    pool = "-u 20 -r 20 -t 3s --pool-size 5 --max-overflow -1 --allow-overload"
    findings = provoked.found_in("beyond-the-server", "query.py", run=pool)["run"]
    exceeds = findings["exceeds_server"]
    assert exceeds.severity == "error"
    assert exceeds.evidence["limit"] is None
    assert exceeds.evidence["max_connections"] == ACCEPTED
    refused = findings["errors_too_many_connections"].evidence["count"]
    assert f"and refused {refused} requests" in exceeds.message


@pytest.mark.usefixtures("accepted")
def test_a_pool_that_only_may_exceed_the_server_is_told_so(provoked: Provoked) -> None:
    load = "-u 2 -r 2 -t 3s --pool-size 2 --max-overflow"
    given = {"may": f"{load} 100", "within": f"{load} 0"}
    findings = provoked.found_in("may-exceed", "query.py", **given)
    exceeds = findings["may"]["exceeds_server"]
    assert exceeds.severity == "info"
    assert exceeds.evidence == {"limit": 102, "processes": 1, "max_connections": ACCEPTED}
    assert "exceeds_server" not in findings["within"]


def _queueing(provoked: Provoked, url: URL | None, poolclass: str) -> Found:
    load = "-u 24 -r 24 -t 4s --query-seconds 1 --think-seconds 0.5"
    pool = f"--poolclass {poolclass} --pool-size 4 --max-overflow 0 --allow-overload"
    key = f"limited-{poolclass}"
    return found(provoked.locusts(key, "query.py", url, run=f"{load} {pool}")["run"])


def test_users_sleep_beside_room_in_the_pool_after_failed_connects(
    provoked: Provoked, limited: URL | None
) -> None:
    findings = _queueing(provoked, limited, "QueuePool")
    evidence = findings["sleeping_waiters"].evidence
    assert evidence["limit"] == 4
    assert evidence["seconds"] >= 2
    assert evidence["failed"] == findings["errors_user_limit"].evidence["count"] > 2


def test_a_pool_that_wakes_them_has_no_sleepers(provoked: Provoked, limited: URL | None) -> None:
    findings = _queueing(provoked, limited, "FairPool")
    assert "errors_user_limit" in findings
    assert "sleeping_waiters" not in findings
