"""A server that does not tell what others do: that is left out, and the run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import URL

from loadtest.analysis.levels_over_time import levels_over_time
from loadtest.analysis.pool_numbers import pool_numbers
from loadtest.analysis.pool_runs import gather
from loadtest.cli import capacity
from loadtest.database import probing
from loadtest.database.preflight import occupancy, server_probe
from loadtest.database.preflight.announcement import connections_now, intentions
from loadtest.database.preflight.checks import run_checks
from loadtest.database.preflight.situation import Demand, Machine, Situation
from loadtest.database.server_status import ServerStatus
from loadtest.model.allowances import NO_ALLOWANCES
from loadtest.model.errors import UsageError
from loadtest.model.interval import SERVER
from loadtest.model.pool import parse_pool
from tests.analysis.builders import interval, run

NOWHERE = URL.create("mysql+pymysql", "u", "hush", "127.0.0.1", 1, "d")


class Rows(list[tuple[str, str]]):
    """What a server answers."""

    def first(self) -> tuple[str, str] | None:
        return self[0] if self else None

    def one(self) -> tuple[str, str]:
        (row,) = self
        return row


class Terse:
    """A connection to a server that knows some variables only; `status` and `variables` are all."""

    def __init__(self, status: dict[str, str], variables: dict[str, str]) -> None:
        self._told = {"VARIABLES": variables, "STATUS": status}

    def execute(self, query: Any) -> Rows:
        """As SQLAlchemy's, of SHOW."""
        said = str(query)
        told = next((rows for name, rows in self._told.items() if f" {name} " in said), {})
        return Rows((name, value) for name, value in told.items() if f"'{name}'" in said)

    def scalar(self, query: Any) -> int:
        """As SQLAlchemy's, of the list of processes."""
        assert "PROCESSLIST" in str(query), "a variable that it does not have"
        return 3

    def engine(self, *_: object, **__: object) -> Any:
        """As SQLAlchemy's `create_engine`."""

        @contextmanager
        def connect() -> Iterator[Terse]:
            yield self

        return SimpleNamespace(connect=connect)


def test_a_probe_finds_out_what_the_server_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    terse = Terse({"Questions": "7", "Aborted_connects": "0"}, {"version": "8.0.11-Terse"})
    monkeypatch.setattr(probing, "create_engine", terse.engine)
    facts = server_probe.probe_server(NOWHERE)
    assert (facts.version, facts.tls) == ("8.0.11-Terse", False)
    assert facts.lacks == ("refused_connects", "row_lock_waits", "row_lock_time")


def test_its_status_has_what_there_is_and_no_zeros_in_place_of_the_rest() -> None:
    told = {"Questions": "7", "Threads_connected": "3", "Threads_running": ""}
    status = ServerStatus(NOWHERE)
    connection: Any = Terse(told, {})
    status._connection, status._process = connection, None
    assert status.sample("measured") is None
    told["Questions"] = "9"
    sample = status.sample("measured")
    assert sample
    assert sample.counters == {"questions": 2}
    assert sample.gauges.keys() == {"threads_connected"}


@pytest.fixture
def terse(monkeypatch: pytest.MonkeyPatch) -> occupancy.Occupancy:
    """What a server says that says nothing."""
    monkeypatch.setattr(probing, "create_engine", Terse({}, {}).engine)
    return occupancy.occupancy(NOWHERE)


def test_limits_that_it_does_not_tell_are_unknown(terse: occupancy.Occupancy) -> None:
    assert terse == occupancy.Occupancy(
        variables={},
        max_connections=None,
        max_user_connections=0,
        own_limit=False,
        connected=None,
        of_account=3,
        peak=None,
        privileged=False,
        files_left=None,
    )


def test_what_is_unknown_is_not_checked_and_not_announced(terse: occupancy.Occupancy) -> None:
    demand = Demand((parse_pool("20+0"),), users=50)
    situation = Situation(demand, Machine(20_000, 28_232), terse, private=False)
    about_server = {"max_connections", "open_files_limit", "in_use", "wait_timeout"}
    assert not about_server & {check.code for check in run_checks(situation)}
    known = replace(terse, max_connections=151, connected=4)
    assert {check.code for check in run_checks(replace(situation, server=known))} >= {
        *("max_connections", "in_use")
    }
    for server, said in ((terse, False), (known, True)):
        in_use = connections_now(server)
        lines = list(intentions("there", demand, "tasks", [], NO_ALLOWANCES, in_use))
        assert any("are in use" in line for line in lines) == said


@pytest.mark.usefixtures("terse")
def test_a_fleet_needs_to_be_told_what_the_server_does_not_tell() -> None:
    address = NOWHERE.render_as_string(hide_password=False)
    with pytest.raises(
        UsageError, match="does not report max_connections: give --max-connections N"
    ):
        capacity.server_of(address, None, {})
    server = capacity.server_of(address, None, {"max_connections": 100})
    assert (server.max_connections, server.others, server.counted) == (100, 0, False)
    assert (server.files, server.peak, server.wait_timeout) == (None, None, None)


def test_the_numbers_of_a_pool_have_nothing_where_its_server_tells_nothing(tmp_path: Path) -> None:
    users = interval(0, counters={"requests": 5})
    server = interval(0, process=SERVER, counters={"questions": 5}, gauges={"threads_connected": 3})
    lacks = ["refused_connects", "row_lock_time"]
    made = run(tmp_path, [users, server], server={"lacks": lacks})
    (pool,) = gather([made]).pools
    told = pool_numbers(pool).server
    assert (told.connected, told.running, told.row_lock_waiters) == (3, None, None)
    assert (told.aborted_connects, told.refused_connects) == (0, None)
    assert levels_over_time(pool, ["threads_connected", "row_lock_waiters"]).levels.keys() == {
        "threads_connected"
    }
