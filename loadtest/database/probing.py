"""Reads facts from a server on a connection outside the pool; writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, text

from loadtest.database.engine import CONNECT_TIMEOUT_SECONDS

# A session may have other values than the server: from an init_command or a `connect` listener.
SESSION_VARIABLES = ("wait_timeout",)


def probing_engine(
    url: URL, connecting: Mapping[str, Any] | None = None, **more: str | None
) -> Engine:
    """An engine without a pool, with timeouts for connecting and reading.

    connecting: arguments of `create_engine` to connect with instead of the URL. more: other
    arguments.
    """
    timeout = {"connect_timeout": CONNECT_TIMEOUT_SECONDS, "read_timeout": CONNECT_TIMEOUT_SECONDS}
    how = connecting or {"connect_args": timeout}
    return create_engine(url, poolclass=NullPool, **how, **more)


def show_global(connection: Connection, what: str, names: Iterable[str]) -> dict[str, str]:
    """The server's VARIABLES or STATUS with these names; missing ones are left out."""
    return _shown(connection, f"GLOBAL {what}", names)


def session_variables(connection: Connection) -> dict[str, str]:
    """The SESSION_VARIABLES of this connection; missing ones are left out."""
    return _shown(connection, "SESSION VARIABLES", SESSION_VARIABLES)


def _shown(connection: Connection, what: str, names: Iterable[str]) -> dict[str, str]:
    listed = ", ".join(f"'{name}'" for name in names)
    rows = connection.execute(text(f"SHOW {what} WHERE Variable_name IN ({listed})"))
    return {str(name): str(value) for name, value in rows}
