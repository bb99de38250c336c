"""Tables that a run is using: locks of the server by their names, which every load test respects.

They lock nothing but the names: who looks into the tables meanwhile is not held up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from loadtest.database.probing import probing_engine
from loadtest.model.errors import UsageError

logger = logging.getLogger("loadtest")
# A connection that was closed a moment ago may still have its locks.
CLAIM_SECONDS = 2
# MySQL takes names of 64 characters at most.
_TABLE = "CONCAT(COALESCE(DATABASE(), :database, ''), '.', :table)"
_LOCK = f"CONCAT('loadtest ', LEFT(SHA2({_TABLE}, 256), 40))"
_TAKE = text(f"SELECT GET_LOCK({_LOCK}, {CLAIM_SECONDS})")
_OWNER = text(f"SELECT IS_USED_LOCK({_LOCK})")


def claim_tables(connection: Connection, database: str | None, tables: Iterable[str]) -> None:
    """Have these tables for as long as the connection lasts: no other run makes or drops them.

    database: where they are, if the connection has chosen none.
    Raises UsageError, with the server's number of that connection, if another run has one.
    """
    try:
        for table in sorted(tables):  # in the same order everywhere: two never wait for each other
            _claim(connection, {"database": database, "table": table})
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        # Some clusters have no such locks.
        logger.warning("Cannot lock the tables against other load tests: %s", error.orig)


def _claim(connection: Connection, table: dict[str, str | None]) -> None:
    if connection.scalar(_TAKE, table) != 1:
        owner = connection.scalar(_OWNER, table)
        raise UsageError(
            f"another load test is using the table {table['table']} (connection {owner} of the "
            "server): wait until that load test has ended"
        )


def tables_left_behind(url: URL, tables: Sequence[str]) -> str:
    """Which tables are still there after the runs, in a sentence; empty if none is.

    Whoever killed a run, or has a transaction on a table, has kept it from being dropped. Those
    that another run has by now are its own.
    """
    if not tables:
        return ""
    try:
        with probing_engine(url).connect() as connection:
            claim_tables(connection, url.database, tables)
            found = [table for table in tables if inspect(connection).has_table(table)]
    except UsageError:
        return ""
    except SQLAlchemyError as error:
        logger.debug("cannot look for tables: %s", error)
        return f"The server does not answer; drop these tables if they exist: {', '.join(tables)}"
    return f"These tables still exist; drop them: {', '.join(found)}" if found else ""
