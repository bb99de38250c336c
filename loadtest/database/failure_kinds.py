"""The kind of a failure: one of a bounded set of names, safe as a label.

A kind comes from the number that the server or the driver gives; without a known number, from
the class of the error, also SQLAlchemy's own classification; and last from the place where it was
raised: inside a checkout or not. The drivers are recognised by the names of their packages,
because an application installs only its own driver.
"""

from __future__ import annotations

import errno
import re
import struct
import traceback
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.database.redaction import without_passwords
from loadtest.model.errors import MoreThanAnnounced
from loadtest.pool.lost_connection import lost_connection
from loadtest.pool.sqlalchemy_internals import stage_of_checkout

MOST_CHARACTERS = 300
# For several options; the error's message names the option.
_OPTION_FORBIDS = 1290
# mysql-connector-python's number for a connection that breaks while it writes or reads.
_LOST_EXTENDED = 2055
KIND_BY_CODE = {
    1040: "too_many_connections",
    1203: "user_limit",
    1226: "user_limit",
    1129: "host_blocked",
    2006: "gone_away",
    4031: "gone_away",  # MySQL sends it before it closes an idle connection; PyMySQL reports 2013
    2048: "gone_away",  # mysql-connector-python's, for a closed connection
    _LOST_EXTENDED: "gone_away",
    2013: "lost_during_query",
    2014: "concurrent_use",
    1927: "connection_killed",
    1053: "server_shutdown",
    1317: "query_interrupted",
    3024: "statement_timeout",
    1969: "statement_timeout",  # MariaDB's
    1205: "lock_wait_timeout",
    3572: "lock_not_available",
    1213: "deadlock",
    1020: "write_conflict",
    3101: "write_conflict",  # another member of a MySQL group was first
    _OPTION_FORBIDS: "read_only",
    1836: "read_only",
    1021: "disk_full",
    1114: "disk_full",
}
# The errors about a statement that no row, lock or limit can make right.
WRONG_SQL = "wrong_sql"
STATEMENT_CODES = frozenset(
    {
        *(1064, 1065, 1149),  # syntax
        *(1049, 1051, 1103, 1109, 1146, 1347),  # databases and tables
        *(1052, 1054, 1060, 1066, 1072, 1110, 1136, 1166, 1222, 1241, 1364),  # columns
        *(1055, 1056, 1111, 1140),  # groups
        *(1128, 1305, 1318, 1327, 1582, 1583, 1584, 1630, 4078, 4079),  # functions, procedures
        *(1115, 1191, 1193, 1231, 1232, 1267, 1271, 1273),  # indexes, variables, collations
        *(1093, 1221, 1235, 1248),  # what the server does not support
    }
)
# The drivers' numbers for every failure to connect; the cause or the message has the system's own.
CONNECT_CODES = (2002, 2003, 2005)
_CONNECT_ERRNO = {
    errno.EMFILE: "no_file_descriptor",
    errno.ENFILE: "no_file_descriptor",
    errno.EADDRNOTAVAIL: "no_local_port",
    errno.ECONNREFUSED: "refused",
    errno.EINPROGRESS: "refused",  # MariaDB's client library names the begin of the attempt
}
_OWN_KINDS: dict[type[BaseException], str] = {
    PoolTimeout: "pool_timeout",
    MoreThanAnnounced: "beyond_announced",
    PendingRollbackError: "pending_rollback",
}
_ERRNO_IN_WORDS = re.compile(r"\((\d+)\b[^()]*\)\W*$")
# AssertionPool's message contains the stack of the other checkout.
_STACK = " at:\n  File "
_LOST = ("gone_away", "lost_during_query")
_DRIVERS = {"pymysql", "MySQLdb", "mysql", "_mysql_connector", "mariadb", "cymysql"}
# mysql-connector-python gives its own timeouts the number of a limit of the server, or none.
_TIMEOUTS = {"ReadTimeoutError": 2013, "WriteTimeoutError": 2013, "ConnectionTimeoutError": 2003}
# mysql-connector-python's words, without a number, for a connection that was closed.
_CLOSED = ("MySQL Connection not available", "Connection to MySQL is not available")
# If two users read from one connection, pure Python drivers complain, or fail in their own code
# because the other user has read an answer or closed the socket.
_OTHERS_PACKET = ("Packet sequence number wrong", "Unread result found", "reentrant call inside")
_TORN = (
    *(AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError),
    struct.error,
)
_WIRE = {
    *("pymysql.connections", "pymysql.protocol"),
    *("mysql.connector.connection", "mysql.connector.network", "mysql.connector.protocol"),
}


def kind_of(error: BaseException) -> str:
    """The kind of a failure, one of ERROR_KINDS; of an unknown error, the kind of its cause."""
    return next(filter(None, map(_kind, _with_causes(error))), "other")


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, the error that it was raised from, and so on."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _kind(error: BaseException) -> str:
    if kind := _by_type(error):
        return kind
    kind = _by_number(error)
    if kind and kind not in _LOST:
        return kind
    if stage := stage_of_checkout(error):
        return f"{stage}_failed"
    kind = kind or _by_class(error)
    return _why_lost(error) or kind if kind in _LOST else kind


def _by_type(error: BaseException) -> str:
    """The kind of an error that no server and no driver has raised."""
    # gevent.Timeout and other interruptions are no Exceptions. Closing a generator is harmless.
    if isinstance(error, TimeoutError) or not isinstance(error, Exception | GeneratorExit):
        return "interrupted"
    return next((kind for cls, kind in _OWN_KINDS.items() if isinstance(error, cls)), "")


def _by_number(error: BaseException) -> str:
    driver_error = _original(error)
    code = error_code(driver_error)
    if code in CONNECT_CODES:
        return _CONNECT_ERRNO.get(_system_errno(driver_error), "connect_failed")
    if code == _OPTION_FORBIDS and "read-only" not in str(driver_error):
        return ""
    if code == _LOST_EXTENDED and isinstance(driver_error.__cause__, ConnectionResetError):
        return "lost_during_query"
    return KIND_BY_CODE.get(code or 0, "")


def _by_class(error: BaseException) -> str:
    if error_code(error) in STATEMENT_CODES:
        return WRONG_SQL
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return "gone_away"
    if any(words in str(_original(error)) for words in _CLOSED):
        return "gone_away"
    return "concurrent_use" if _of_concurrent_use(error) else ""


def _of_concurrent_use(error: BaseException) -> bool:
    """Whether an error tells that two users used one session or connection at the same time."""
    if getattr(error, "code", None) == "isce":  # SQLAlchemy's code for an illegal state change
        return True
    original = _original(error)
    if type(original).__name__ == "ConcurrentObjectUseError":  # gevent's
        return True
    if any(words in str(original) for words in _OTHERS_PACKET):
        return True
    torn = isinstance(original, _TORN) and not isinstance(original, UnicodeError)
    return torn and _innermost_module(original) in _WIRE


def _innermost_module(error: BaseException) -> str:
    """The module that raised an error; empty if it was not raised."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return str(frames[-1].f_globals.get("__name__", "")) if frames else ""


def _why_lost(error: BaseException) -> str:
    """The kind of a lost connection that had been idle for too long; empty for other reasons."""
    lost = lost_connection(_original(error)) or lost_connection(error)
    return f"idle_in_{lost.idle_in}" if lost and lost.idle_in else ""


def _system_errno(error: BaseException) -> int:
    """The system's number for the reason why a driver could not connect; 0 without one."""
    cause = getattr(error, "original_exception", None) or error.__cause__
    if isinstance(cause, OSError):
        return cause.errno or 0
    found = _ERRNO_IN_WORDS.search(str(error))
    return int(found[1]) if found else 0


def _original(error: BaseException) -> BaseException:
    """The driver's error, if SQLAlchemy has wrapped it."""
    return getattr(error, "orig", None) or error


def _of_driver(error: BaseException) -> bool:
    modules = {cls.__module__.partition(".")[0] for cls in type(error).__mro__}
    return not _DRIVERS.isdisjoint(modules)


def error_code(error: BaseException) -> int | None:
    """The error number of the server or the driver, as in MySQL's manual; None without one."""
    original = _original(error)
    if not _of_driver(original):
        return None  # a KeyError(1213) in the scenario is not a deadlock
    if type(original).__name__ in _TIMEOUTS:
        return _TIMEOUTS[type(original).__name__]
    first = next(iter(original.args), None)
    number = getattr(original, "errno", first)
    return number if isinstance(number, int) and number >= 0 else None


def words_of(error: BaseException) -> str:
    """The beginning of an error message, without passwords, statement parameters and stacks."""
    said = str(_original(error)).partition(_STACK)[0]
    return without_passwords(said[: 10 * MOST_CHARACTERS])[:MOST_CHARACTERS]
