"""Claims on the tables that a run uses: named locks of the server that every load test respects.

The locks are advisory: other clients can still use the tables.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from loadtest.database.probing import probing_engine
from loadtest.model.errors import UsageError

logger = logging.getLogger("loadtest")
# A connection that was just closed may still hold its locks.
CLAIM_SECONDS = 2
# MySQL limits the names of locks to 64 characters.
_TABLE = "CONCAT(COALESCE(DATABASE(), :database, ''), '.', :table)"
_LOCK = f"CONCAT('loadtest ', LEFT(SHA2({_TABLE}, 256), 40))"
_TAKE = text(f"SELECT GET_LOCK({_LOCK}, {CLAIM_SECONDS})")
_OWNER = text(f"SELECT IS_USED_LOCK({_LOCK})")


def claim_tables(connection: Connection, database: str | None, tables: Iterable[str]) -> None:
    """Claim these tables while the connection lasts: no other run creates or drops them.

    database: where the tables are, if the connection has no default database.
    Raises UsageError with the other run's connection id if another run uses one of them.
    """
    try:
        for table in sorted(tables):  # the same order everywhere avoids deadlocks
            _claim(connection, {"database": database, "table": table})
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        # Some clusters do not support GET_LOCK.
        logger.warning("Cannot lock the tables against other load tests: %s", error.orig)


def _claim(connection: Connection, table: dict[str, str | None]) -> None:
    if connection.scalar(_TAKE, table) != 1:
        owner = connection.scalar(_OWNER, table)
        raise UsageError(
            f"another load test is using the table {table['table']} (connection {owner} of the "
            "server): wait until that load test has ended"
        )


def tables_left_behind(url: URL, tables: Sequence[str]) -> str:
    """The sentence that names the tables left after the runs; empty if none is left.

    A table is left if a run was killed, or if another client has a transaction on it. Tables that
    another run uses by now are not named.
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
