"""The scenarios' tables: created before a run and dropped at the end; no others are touched.

On a server that the tool did not start, the names of these tables must begin with `loadtest_`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import URL, Connection, MetaData, NullPool, create_engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateSchema

from loadtest.database.connection_errors import connection_error
from loadtest.database.engine import CONNECT_TIMEOUT_SECONDS
from loadtest.database.table_claims import claim_tables
from loadtest.model.errors import UsageError

TABLE_PREFIX = "loadtest_"
# By default an open transaction on a table delays its drop for up to a day.
LOCK_WAIT_SECONDS = 5
_PATIENCE = text(f"SET SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}")
TABLE_LOCK_SECONDS = 60


def metadata_of(user_classes: Iterable[Any], *, private: bool = False) -> list[MetaData]:
    """The tables of the scenarios.

    private: whether the tool started the server, so that every name is allowed. Otherwise raises
    UsageError if a name does not begin with `loadtest_`.
    """
    brought = (getattr(cls, "metadata", None) for cls in user_classes)
    found = list(dict.fromkeys(metadata for metadata in brought if metadata is not None))
    for metadata in [] if private else found:
        _check_names(metadata)
    return found


def names_of(user_classes: Iterable[Any], *, private: bool = False) -> list[str]:
    """The names of these tables; private, errors: as of `metadata_of`."""
    return [name for one in metadata_of(user_classes, private=private) for name in one.tables]


def prepare_tables(
    url: URL,
    user_classes: Iterable[Any],
    options: Any,
    connecting: Mapping[str, Any] | None = None,
    *,
    private: bool = False,
) -> None:
    """Recreate and fill the tables of the scenarios, and read them once to warm them up.

    connecting: arguments of `create_engine` beside the URL. private: as of `metadata_of`.
    Raises UsageError if a table's name is not allowed, the database refuses, or another transaction
    uses one of them.
    """
    classes = [cls for cls in user_classes if getattr(cls, "metadata", None) is not None]
    if not classes:
        return
    engine = create_engine(url, poolclass=NullPool, **(connecting or {}))
    try:
        with engine.connect() as connection:
            connection.execute(_PATIENCE)
            for metadata in metadata_of(classes, private=private):
                if private:
                    _create_databases(connection, metadata)
                metadata.drop_all(connection)
                metadata.create_all(connection)
            connection.commit()
            _fill(connection, classes, options)
    except (SQLAlchemyError, OSError) as error:
        raise connection_error(error, url) from None


def _create_databases(connection: Connection, metadata: MetaData) -> None:
    """Create the databases that tables name as their schema."""
    for schema in sorted({table.schema for table in metadata.tables.values() if table.schema}):
        connection.execute(CreateSchema(schema, if_not_exists=True))


def _fill(connection: Connection, classes: Iterable[Any], options: Any) -> None:
    with Session(connection) as session:
        for cls in classes:
            cls.fill(session, options)
            session.commit()
            for table in cls.metadata.sorted_tables:
                session.execute(select(func.count()).select_from(table))


def drop_tables(
    url: URL, user_classes: Iterable[Any], connecting: Mapping[str, Any] | None = None
) -> None:
    """Drop those tables of the scenarios that exist.

    Raises UsageError if the database refuses, if another run uses them, or if a transaction still
    does after some seconds.
    """
    timeouts = {"connect_timeout": CONNECT_TIMEOUT_SECONDS, "read_timeout": TABLE_LOCK_SECONDS}
    engine = create_engine(url, poolclass=NullPool, **(connecting or {"connect_args": timeouts}))
    try:
        with engine.begin() as connection:
            claim_tables(connection, url.database, names_of(user_classes))
            connection.execute(_PATIENCE)
            for metadata in metadata_of(user_classes):
                metadata.drop_all(connection)
    except (SQLAlchemyError, OSError) as error:
        raise connection_error(error, url) from None


def _check_names(metadata: MetaData) -> None:
    foreign = [key for key, t in metadata.tables.items() if not t.name.startswith(TABLE_PREFIX)]
    if foreign:
        raise UsageError(
            f"table {foreign[0]!r}: a run drops and recreates a scenario's tables, so their names "
            f"must begin with {TABLE_PREFIX!r} on a server that loadtest did not start. Every name "
            "is allowed on a private server: leave out --database-url and LOADTEST_DATABASE_URL. "
            "To use existing tables as they are, leave out the scenario's metadata"
        )
