"""What a server lets in and who is there already: read on one connection, nothing is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection, text

from loadtest.database.connection_errors import connection_error
from loadtest.database.probing import probing_engine, show_global

NO_DATABASE_HINT = "With --max-connections N no database is asked"
# What a server has open before anybody connects: sockets, logs, tablespaces, threads' own files.
# Measured: a MariaDB 10.11 with 1,024 files let 982 in, and gave no answer to the next.
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
# With either, max_connections gives one place more, and MariaDB does not apply max_user_connections
# of all accounts (MySQL does). In a role they are shown, too. Since MariaDB 11.0 (MDEV-29668) SUPER
# is not enough.
_PRIVILEGED = re.compile(r"\b(ALL PRIVILEGES|CONNECTION[ _]ADMIN)\b.* ON \*\.\*")
_SUPER = re.compile(r"\bSUPER\b.* ON \*\.\*")
_SUPER_IS_NOT_ENOUGH = re.compile(r"1[1-9]\.\d.*MariaDB")


@dataclass(frozen=True)
class Occupancy:
    """A server's limits, and its connections without the one that asked; None: it does not tell.

    max_user_connections: what holds for this account, 0 without a limit; own_limit: whether it is
    the account's own. of_account: connections with this account's user name. privileged: whether
    it may come in where others are refused. files_left: of open_files_limit for connections.
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
        """The value of a variable that is a whole number; None if the server does not tell it."""
        return _number(self.variables, variable)


def occupancy(
    url: URL, connecting: Mapping[str, Any] | None = None, hint: str = NO_DATABASE_HINT
) -> Occupancy:
    """Ask a server what it lets in and who is there.

    connecting: how else than by the URL, as arguments of `create_engine`. hint: what there is
    to do without a database.
    Raises UsageError (nothing there, wrong password, full), each with what to do.
    """
    engine = probing_engine(url, connecting, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            return _read(connection)
    except Exception as error:  # of a wrong option in the URL the driver makes a TypeError
        raise connection_error(error, url, hint) from None


def _read(connection: Connection) -> Occupancy:
    variables = show_global(connection, "VARIABLES", _VARIABLES)
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
    """The limit of this account (0: none), and whether it is its own; it goes before the others'.

    The server has whichever holds in the session's variable; a server without it has no limit.
    exempt: from that of all accounts.
    """
    if everybodys is None:
        return 0, False
    limit = int(connection.scalar(text("SELECT @@SESSION.max_user_connections")) or 0)
    own = limit != everybodys
    return (0, False) if exempt and not own else (limit, own)


def _of_account(connection: Connection) -> int:
    """Connections with this user name beside this one; one may always see one's own."""
    query = text(
        "SELECT COUNT(*) - 1 FROM information_schema.PROCESSLIST "
        "WHERE USER = SUBSTRING_INDEX(CURRENT_USER(), '@', 1)"
    )
    return max(0, int(connection.scalar(query) or 0))
