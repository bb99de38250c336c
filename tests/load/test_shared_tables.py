"""Two load tests on one database: what one of them uses, the other neither makes anew nor drops."""

from __future__ import annotations

import logging
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    NullPool,
    Table,
    create_engine,
    event,
    inspect,
    text,
)

from loadtest.database import table_claims as of_claims
from loadtest.database.server_status import ServerStatus
from loadtest.database.table_claims import claim_tables
from loadtest.load.setup import scenario_tables
from loadtest.load.setup.scenario_tables import drop_tables, prepare_tables
from loadtest.model.errors import UsageError
from loadtest.runfile.reader import read_run
from tests.processes import running, stop_with
from tests.survival.scene import assert_nothing_left, at, by_hand, run_command, under_way

pytestmark = pytest.mark.server
POINT = "loadtest_point_item"
SHARED = "loadtest_shared"
USED = "another load test is using the table"
SIGNAL = "SIGNAL SQLSTATE '42000' SET MESSAGE_TEXT = 'no GET_LOCK in clusters'"


class Users:
    """The users of a scenario, as far as their table is concerned."""

    metadata = MetaData()
    table = Table(SHARED, metadata, Column("id", Integer, primary_key=True))

    @classmethod
    def fill(cls, session: object, options: object) -> None:
        """Without a row."""


@contextmanager
def impatient() -> Iterator[None]:
    """A run that asks for a table of another run is refused at once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(of_claims, "_TAKE", text(f"SELECT GET_LOCK({of_claims._LOCK}, 0)"))
        yield


@pytest.fixture
def other(url: URL) -> Iterator[Connection]:
    """The connection of another load test; it has chosen no database, as in a run."""
    engine = create_engine(url.set(database=""), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(by_hand, marks=pytest.mark.database),
        pytest.param(run_command, marks=pytest.mark.long),
    ],
)
def test_the_second_is_refused_and_the_first_goes_on(
    tmp_path: Path, url: URL, admin: Engine, command: Callable[[Path], list[str]]
) -> None:
    path = tmp_path / "first.jsonl"
    with running(tmp_path / "log", *by_hand(path), env=at(url)) as first:
        under_way(first, tmp_path)
        with running(tmp_path / "other", *command(tmp_path / "2"), env=at(url)) as second:
            assert second.wait() == 2, second.output
            assert_nothing_left(second)
        said = re.search(rf"{USED} {POINT} \(connection (\d+) of", second.output)
        assert said, second.output
        with admin.connect() as connection:
            listed = text("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = :id")
            assert connection.scalar(listed, {"id": int(said[1])}) == 1
        assert POINT in inspect(admin).get_table_names()
        assert stop_with(first, signal.SIGTERM) == 0
    run = read_run(path)
    assert run.footer
    assert run.footer.totals.counters.get("failures", 0) == 0
    assert POINT not in inspect(admin).get_table_names()


@pytest.mark.database
def test_tables_that_somebody_uses_are_neither_made_anew_nor_dropped(
    url: URL, admin: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the server's default both would wait for a day."""
    monkeypatch.setattr(scenario_tables, "_PATIENCE", text("SET SESSION lock_wait_timeout = 1"))
    prepare_tables(url, [Users], SimpleNamespace())
    with admin.connect() as somebody:
        somebody.execute(text(f"SELECT COUNT(*) FROM {SHARED}"))  # the transaction goes on
        with pytest.raises(UsageError, match="another client has an open transaction on a table"):
            prepare_tables(url, [Users], SimpleNamespace())
        with pytest.raises(UsageError, match="another client has an open transaction on a table"):
            drop_tables(url, [Users])
    drop_tables(url, [Users])
    assert SHARED not in inspect(admin).get_table_names()


@pytest.mark.database
def test_tables_of_a_run_under_way_are_not_dropped(
    url: URL, admin: Engine, other: Connection
) -> None:
    prepare_tables(url, [Users], SimpleNamespace())
    claim_tables(other, url.database, [SHARED])
    with impatient(), pytest.raises(UsageError, match=f"{USED} {SHARED}"):
        drop_tables(url, [Users])
    assert SHARED in inspect(admin).get_table_names()

    other.close()
    drop_tables(url, [Users])
    assert SHARED not in inspect(admin).get_table_names()


@pytest.mark.database
def test_names_are_those_of_one_database(url: URL, admin: Engine, other: Connection) -> None:
    claim_tables(other, "elsewhere", [SHARED])
    claim_tables(other, url.database, ["loadtest_else"])
    with admin.connect() as connection:
        claim_tables(connection, url.database, [SHARED])
        with impatient(), pytest.raises(UsageError, match=f"{USED} loadtest_else"):
            claim_tables(connection, None, [SHARED, "loadtest_else"])


@pytest.mark.database
def test_who_was_away_and_finds_another_there_says_so_and_goes_on(
    url: URL, admin: Engine, other: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    status = ServerStatus(url, tables=[SHARED])
    status.open()
    with impatient(), pytest.raises(UsageError, match=f"{USED} {SHARED}"):
        claim_tables(other, url.database, [SHARED])
    assert status._connection
    number = status._connection.scalar(text("SELECT CONNECTION_ID()"))
    with admin.connect() as connection:
        connection.execute(text(f"KILL {number}"))
    claim_tables(other, url.database, [SHARED])
    with impatient(), caplog.at_level(logging.WARNING, "loadtest"):
        assert [status.sample("measured") for _ in range(3)] == [None] * 3
        assert status.sample("measured")
    status.close()

    assert [USED in record.message for record in caplog.records] == [True]


@pytest.mark.database
def test_a_server_that_has_no_such_locks_is_used_all_the_same(
    url: URL, admin: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_1: Any, _2: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        locks = "GET_LOCK" in statement
        return (SIGNAL if locks else statement), parameters

    event.listen(admin, "before_cursor_execute", refuse, retval=True)
    with admin.connect() as connection:
        claim_tables(connection, url.database, [SHARED])
        assert connection.scalar(text("SELECT 1")) == 1
    assert [record.message for record in caplog.records] == [
        "Cannot lock the tables against other load tests: (1644, 'no GET_LOCK in clusters')"
    ]
