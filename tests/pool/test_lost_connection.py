"""Of a connection that an error ends it is known how long it was open and in use."""

from __future__ import annotations

from math import inf
from typing import Any

import pymysql
import pytest
from measuring import Bench
from mysql.connector import Error as MySQLError
from sqlalchemy import text

from loadtest.database.failure_kinds import kind_of
from loadtest.pool.lost_connection import LostConnection, lost_connection


@pytest.mark.parametrize(
    ("opened", "held", "pinged", "limit", "place"),
    [
        (0, 1.6, True, 1, "task"),
        (0, 1.0, True, 1, "task"),
        (9, 1.6, False, 1, "task"),
        (0, 0.9, False, 1, ""),
        (1.2, 0.9, False, 1, "pool"),
        (1.2, 0.9, True, 1, ""),
        (9e9, 9e9, False, inf, ""),
    ],
)
def test_where_a_connection_can_have_idled_for_too_long(
    opened: float, held: float, pinged: bool, limit: float, place: str
) -> None:
    assert LostConnection(opened, held, pinged, limit).idle_in == place


def lost(bench: Bench, *, pause: int = 0, work: int = 0, query: int = 0) -> Any:
    """An error that ends a connection: paused in the pool, held, in its last query (ms)."""
    bench.engine.connect().close()
    bench.forward(pause)
    error = pymysql.err.OperationalError(2013, "Lost connection")
    with bench.engine.connect() as connection:
        bench.forward(work)
        bench.querying = query
        connection.execute(text("SELECT 1"))
        connection.invalidate(error)
    return error


@pytest.mark.parametrize(
    ("times", "pool", "kind"),
    [
        ({"work": 1600}, {}, "idle_in_task"),
        ({"work": 1600, "pause": 5000}, {"pool_pre_ping": True}, "idle_in_task"),
        ({"pause": 1600}, {}, "idle_in_pool"),
        ({"pause": 1600}, {"pool_pre_ping": True}, "lost_during_query"),
        ({"pause": 900, "work": 90}, {}, "lost_during_query"),
        ({"query": 60_000}, {}, "lost_during_query"),
    ],
)
def test_the_kind_of_a_lost_connection_tells_where_it_idled(
    times: dict[str, int], pool: dict[str, Any], kind: str
) -> None:
    with Bench(**pool) as bench:
        bench.recorder.wait_timeout = 1.0
        assert kind_of(lost(bench, **times)) == kind


def test_its_times_are_those_before_the_statement_that_failed() -> None:
    with Bench() as bench:
        found = lost_connection(lost(bench, pause=500, work=250, query=4000))
    assert found == LostConnection(pytest.approx(0.5), pytest.approx(0.25), False, inf)


def test_a_limit_that_is_unknown_was_not_exceeded() -> None:
    with Bench() as bench:
        assert kind_of(lost(bench, work=100_000_000)) == "lost_during_query"


def test_the_error_that_came_first_is_known_with_the_one_that_ended_the_connection() -> None:
    first = MySQLError("MySQL Connection not available")
    with Bench() as bench, bench.engine.connect() as connection:
        bench.recorder.wait_timeout = 1.0
        bench.forward(1600)
        try:
            raise first
        except MySQLError:
            rollback = pymysql.err.OperationalError(2006, "gone")
            rollback.__context__ = first
            connection.invalidate(rollback)
    assert [kind_of(error) for error in (first, rollback)] == ["idle_in_task"] * 2


def test_an_error_of_something_else_says_nothing_of_a_connection() -> None:
    assert lost_connection(ValueError()) is None


def test_a_connection_that_is_broken_without_an_error_is_only_closed() -> None:
    with Bench() as bench, bench.engine.connect() as connection:
        connection.invalidate()
        assert bench.cut().counters["closed.error"] == 1
