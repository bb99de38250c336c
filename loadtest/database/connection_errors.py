"""Error messages for a database that cannot be reached or used."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL

from loadtest.database.failure_kinds import CONNECT_CODES, error_code
from loadtest.database.redaction import host_and_port, without_passwords
from loadtest.model.errors import LoadtestError, UsageError

# The rights to create, fill and use a scenario's tables. MySQL needs REFERENCES for foreign keys.
TABLE_RIGHTS = "CREATE, DROP, INDEX, SELECT, INSERT, UPDATE, DELETE, REFERENCES"
# Numbers for an answer that is not MySQL's protocol.
_NO_PROTOCOL = (2007, 2012, 2013, 2027, 2055)
# PyMySQL's and MariaDB's client library's words.
_NO_TLS = re.compile(r"SSL is required\b.*\bsupport")
PRIVATE_SERVER_HINT = "Without --database-url and LOADTEST_DATABASE_URL, a private server starts"


def hint_without_database(connecting: Mapping[str, Any] | None) -> str:
    """The hint for a user without a database; empty for an application."""
    return PRIVATE_SERVER_HINT if connecting is None else ""


def connection_error(
    error: BaseException, url: URL, hint: str = PRIVATE_SERVER_HINT
) -> LoadtestError:
    """The error message for a failure to connect, without the password.

    hint: what to do without a database.
    """
    place = host_and_port(url)
    code = error_code(error)
    why = _why_unreachable(error) if code in CONNECT_CODES else ""
    if code in CONNECT_CODES:
        code = 2003
    wrong_packet = type(getattr(error, "orig", error)).__name__ == "InternalError"
    if code in _NO_PROTOCOL or (code is None and wrong_packet):
        code = 2013
    if code in (1045, 1698):
        return UsageError(
            f"the database at {place} refuses user {url.username!r}: check the user and the "
            f"password in the database URL, and the user's rights on {url.database!r} "
            "(write @ : / % in a password as %40 %3A %2F %25)"
        )
    if code in (1142, 1143):
        denied = re.search(r"([A-Z][A-Z ]*) command denied", str(error))
        return UsageError(
            f"user {url.username!r} may not {denied[1] if denied else 'do everything'} in the "
            f"database at {place}: the tables of a scenario need the rights {TABLE_RIGHTS} on "
            f"{url.database!r}"
        )
    sentences = {
        1044: f"user {url.username!r} may not use the database {url.database!r} at {place}: check "
        f"its name at the end of the database URL, and the user's rights on {url.database!r}",
        1049: f"the database at {place} has no database {url.database!r}: create it first, or "
        "name another at the end of the database URL",
        1040: f"the database at {place} is full (error 1040, too many connections): raise its "
        "max_connections, or close other connections",
        2003: f"no database answers at {place}{why}: check that the server is running and that "
        f"this machine can reach it. {hint}".strip(),
        1205: f"another client has an open transaction on a table of the scenario at {place}: end "
        "it (SHOW PROCESSLIST), or drop the table yourself",
        2013: f"{place} accepts connections but does not answer like MySQL or MariaDB",
    }
    if code == 2026 and _NO_TLS.search(str(error)):
        return UsageError(
            f"the database at {place} has no TLS, but the connection requires it: remove ssl and "
            "the ssl_ options from connect_args and the database URL"
        )
    if code in sentences:
        return UsageError(sentences[code])
    detail = without_passwords(str(getattr(error, "orig", None) or error), url)
    return UsageError(f"cannot use the database at {place}: {detail}")


def _why_unreachable(error: BaseException) -> str:
    """The reason why a server could not be reached, in brackets; empty for an uncommon one."""
    cause = getattr(getattr(error, "orig", error), "original_exception", None)
    if isinstance(cause, socket.gaierror) or error_code(error) == 2005:
        return " (unknown host)"
    return " (connection refused)" if isinstance(cause, ConnectionRefusedError) else ""
