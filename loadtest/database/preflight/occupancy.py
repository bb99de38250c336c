"""The limits of a server and its connections in use; read on one connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection, text

from loadtest.database.connection_errors import connection_error
from loadtest.database.probing import probing_engine, session_variables, show_global

NO_DATABASE_HINT = "With --max-connections N, no database is needed"
# Open files of a server without connections: sockets, logs, tablespaces, files of its threads.
# Measured: MariaDB 10.11 with 1,024 files accepted 982 connections and did not answer the next.
SERVER_FILES = 50

_VARIABLES = (
    "version",
    "max_connections",
    "max_user_connections",
    "open_files_limit",
    "table_open_cache",
    "wait_timeout",
)
# MyISAM's and the logs' files, InnoDB's, and connections: now, and the most since the start.
_STATUS = ("Open_files", "Innodb_num_open_files", "Threads_connected", "Max_used_connections")
# An account with either right may use one connection more than max_connections, and MariaDB (not
# MySQL) exempts it from the global max_user_connections. SHOW GRANTS includes the rights of a role.
# Since MariaDB 11.0 (MDEV-29668) SUPER is not enough.
_PRIVILEGED = re.compile(r"\b(ALL PRIVILEGES|CONNECTION[ _]ADMIN)\b.* ON \*\.\*")
_SUPER = re.compile(r"\bSUPER\b.* ON \*\.\*")
_SUPER_IS_NOT_ENOUGH = re.compile(r"1[1-9]\.\d.*MariaDB")


@dataclass(frozen=True)
class Occupancy:
    """A server's limits, and its connections without the one that asked; None: not reported.

    max_user_connections: the limit of this account, 0 without one; own_limit: whether it is the
    account's own limit. of_account: connections with this account's user name. privileged: whether
    the account may connect to a full server. files_left: open files left for connections.
    """

    variables: Mapping[str, str]
    max_connections: int | None
    max_user_connections: int
    own_limit: bool
    connected: int | None
    of_account: int
    peak: int | None
    privileged: bool
    files_left: int | None

    def number(self, variable: str) -> int | None:
        """A variable as a whole number; None if the server does not report it."""
        return _number(self.variables, variable)


def occupancy(
    url: URL, connecting: Mapping[str, Any] | None = None, hint: str = NO_DATABASE_HINT
) -> Occupancy:
    """The limits of a server and its connections in use.

    connecting: arguments of `create_engine` to connect with instead of the URL. hint: what to do
    without a database.
    Raises UsageError if the server does not answer, is full or refuses the user.
    """
    engine = probing_engine(url, connecting, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            return _read(connection)
    except Exception as error:  # for a wrong option in the URL, the driver raises TypeError
        raise connection_error(error, url, hint) from None


def _read(connection: Connection) -> Occupancy:
    variables = show_global(connection, "VARIABLES", _VARIABLES) | session_variables(connection)
    status = show_global(connection, "STATUS", _STATUS)
    version = variables.get("version", "")
    privileged = _privileged(connection, version)
    everybodys = _number(variables, "max_user_connections")
    limit, own = _user_limit(connection, everybodys, privileged and "MariaDB" in version)
    connected = _number(status, "Threads_connected")
    return Occupancy(
        variables=variables,
        max_connections=_number(variables, "max_connections"),
        max_user_connections=limit,
        own_limit=own,
        connected=None if connected is None else max(0, connected - 1),
        of_account=_of_account(connection),
        peak=_number(status, "Max_used_connections"),
        privileged=privileged,
        files_left=_files_left(variables, status),
    )


def _number(told: Mapping[str, str], name: str) -> int | None:
    text = told.get(name, "")
    return int(text) if text.isdecimal() else None


def _files_left(variables: Mapping[str, str], status: Mapping[str, str]) -> int | None:
    limit = _number(variables, "open_files_limit")
    if limit is None:
        return None
    tables = sum(_number(status, name) or 0 for name in ("Open_files", "Innodb_num_open_files"))
    return max(0, limit - tables - SERVER_FILES)


def _privileged(connection: Connection, version: str) -> bool:
    grants = [str(row[0]) for row in connection.execute(text("SHOW GRANTS"))]
    rights = [_PRIVILEGED] if _SUPER_IS_NOT_ENOUGH.match(version) else [_PRIVILEGED, _SUPER]
    return any(right.search(grant) for right in rights for grant in grants)


def _user_limit(connection: Connection, everybodys: int | None, exempt: bool) -> tuple[int, bool]:
    """The limit of this account (0: none), and whether it is the account's own limit.

    The session's variable has the limit that applies; a server without this variable has no limit.
    exempt: whether the global limit does not apply to this account.
    """
    if everybodys is None:
        return 0, False
    limit = int(connection.scalar(text("SELECT @@SESSION.max_user_connections")) or 0)
    own = limit != everybodys
    return (0, False) if exempt and not own else (limit, own)


def _of_account(connection: Connection) -> int:
    """The other connections with this user name; every account may see its own."""
    query = text(
        "SELECT COUNT(*) - 1 FROM information_schema.PROCESSLIST "
        "WHERE USER = SUBSTRING_INDEX(CURRENT_USER(), '@', 1)"
    )
    return max(0, int(connection.scalar(query) or 0))
