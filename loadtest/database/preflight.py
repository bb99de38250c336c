"""A look at a database before anything is measured, and clear words when it cannot be reached."""

from __future__ import annotations

import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pymysql
from sqlalchemy import URL, NullPool, create_engine, text

from loadtest.database.checks import FILES_BESIDE_CONNECTIONS, open_files, refuse
from loadtest.database.engine import CONNECT_TIMEOUT_SECONDS
from loadtest.database.failures import error_code
from loadtest.database.redaction import without_passwords
from loadtest.database.status import lacking
from loadtest.errors import LoadtestError, UsageError

# What making, filling and using a scenario's tables takes; MySQL wants the last for foreign keys.
RIGHTS = "CREATE, DROP, INDEX, SELECT, INSERT, UPDATE, DELETE, REFERENCES"
OTHERWISE = "Without --database-url and LOADTEST_DATABASE_URL a private server is started"

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
    """What a server says of itself: version, chosen variables, and whether it speaks TLS.

    lacks: the counters of its status that it does not have, by the names of intervals.
    """

    version: str
    variables: dict[str, str]
    tls: bool
    lacks: tuple[str, ...] = ()


def look(url: URL, connecting: Mapping[str, Any] | None = None) -> ServerFacts:
    """Connect once and ask the server about itself.

    connecting: how else than by the URL, as arguments of `create_engine`.
    Raises UsageError (nothing there, wrong password, no such database, full), each with what to do.
    """
    timeout = {"connect_timeout": CONNECT_TIMEOUT_SECONDS, "read_timeout": CONNECT_TIMEOUT_SECONDS}
    how = connecting or {"connect_args": timeout}
    engine = create_engine(url, poolclass=NullPool, **how)
    try:
        with engine.connect() as connection:
            names = ", ".join(f"'{name}'" for name in SERVER_VARIABLES)
            rows = connection.execute(
                text(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
            )
            variables = {str(row[0]): str(row[1]) for row in rows}
            cipher = connection.execute(text("SHOW SESSION STATUS LIKE 'Ssl_cipher'")).first()
            lacks = lacking(connection)
    except Exception as error:  # of a wrong option in the URL the driver makes a TypeError
        raise explained(error, url, otherwise(connecting)) from None
    return ServerFacts(variables.get("version", ""), variables, bool(cipher and cipher[1]), lacks)


def otherwise(connecting: Mapping[str, Any] | None) -> str:
    """What there is to do without a database; an application has no other."""
    return OTHERWISE if connecting is None else ""


def explained(error: BaseException, url: URL, otherwise: str = OTHERWISE) -> LoadtestError:
    """The sentence for a person about a failure to connect; never with a password in it.

    otherwise: what there is to do without a database.
    """
    place = f"{url.host or 'localhost'}:{url.port or 3306}"
    code = error_code(error)
    if code is None and isinstance(getattr(error, "orig", error), pymysql.InternalError):
        code = 2013  # it said something, but not in packets that have an order
    if code in (1044, 1045, 1698):
        return UsageError(
            f"the database at {place} does not let user {url.username!r} in: check the user, the "
            f"password and the rights on {url.database!r} in the database URL "
            "(@ : / % in a password are written %40 %3A %2F %25)"
        )
    if code in (1142, 1143):
        denied = re.search(r"([A-Z][A-Z ]*) command denied", str(error))
        return UsageError(
            f"user {url.username!r} of the database at {place} may not "
            f"{denied[1] if denied else 'do everything'} there: a scenario's "
            f"tables need the rights {RIGHTS} on {url.database!r}"
        )
    sentences = {
        1049: f"the database at {place} has no database {url.database!r}: create it first, or "
        "name another at the end of the database URL",
        1040: f"the database at {place} is full (error 1040, too many connections): raise its "
        "max_connections, or close connections of others",
        2003: f"no database answers at {place}: is the server running there and reachable from "
        f"here? {otherwise}".strip(),
        1205: f"somebody has a transaction open on a table of the scenario at {place}: end it "
        "(SHOW PROCESSLIST), or drop the table yourself",
        2013: f"{place} accepts connections but does not answer like MySQL or MariaDB",
    }
    if code in sentences:
        return UsageError(sentences[code])
    detail = without_passwords(str(getattr(error, "orig", None) or error), url)
    return UsageError(f"cannot use the database at {place}: {detail}")


def check_open_files(connections: int) -> None:
    """Raise this process's limit of open files as far as needed for that many connections.

    Raises UsageError where the system does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    refuse([open_files(connections, None if hard == resource.RLIM_INFINITY else hard)])
    needed = connections + FILES_BESIDE_CONNECTIONS
    if needed > soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
