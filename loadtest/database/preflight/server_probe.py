"""Reads the server's version and variables before a run, and raises the open-files limit."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, text

from loadtest.database.connection_errors import connection_error, hint_without_database
from loadtest.database.preflight.checks import GENERATOR_FILES, open_files_check, refuse_errors
from loadtest.database.probing import probing_engine, session_variables, show_global
from loadtest.database.server_status import missing_counters

SERVER_VARIABLES = (
    "version",
    "version_comment",
    "max_connections",
    "max_user_connections",
    "thread_cache_size",
    "wait_timeout",
    "innodb_buffer_pool_size",
    "innodb_flush_log_at_trx_commit",
    "innodb_lock_wait_timeout",
    "innodb_deadlock_detect",
    "innodb_snapshot_isolation",
    "tx_isolation",
    "transaction_isolation",
    "have_ssl",
    "performance_schema",
)


@dataclass(frozen=True)
class ServerFacts:
    """A server's version, some variables (of the session), and whether the connection uses TLS.

    lacks: the status counters that the server does not have, by the names in intervals.
    """

    version: str
    variables: dict[str, str]
    tls: bool
    lacks: tuple[str, ...] = ()


def probe_server(url: URL, connecting: Mapping[str, Any] | None = None) -> ServerFacts:
    """The facts of a server, read on one connection.

    connecting: arguments of `create_engine` to connect with instead of the URL.
    Raises UsageError if the server does not answer, is full, or refuses the user or the database.
    """
    try:
        with probing_engine(url, connecting).connect() as connection:
            variables = show_global(connection, "VARIABLES", SERVER_VARIABLES)
            own = session_variables(connection)
            variables |= {name: own[name] for name in own.keys() & variables.keys()}
            cipher = connection.execute(text("SHOW SESSION STATUS LIKE 'Ssl_cipher'")).first()
            lacks = missing_counters(connection)
    except Exception as error:  # for a wrong option in the URL, the driver raises TypeError
        raise connection_error(error, url, hint_without_database(connecting)) from None
    return ServerFacts(variables.get("version", ""), variables, bool(cipher and cipher[1]), lacks)


def raise_open_files_limit(connections: int) -> None:
    """Raise this process's limit of open files as needed for this number of connections.

    Raises UsageError if the system does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    refuse_errors([open_files_check(connections, None if hard == resource.RLIM_INFINITY else hard)])
    needed = connections + GENERATOR_FILES
    if needed > soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
