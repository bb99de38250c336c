"""The kind of a failure: one of a bounded set of names, safe as a label."""

from __future__ import annotations

import errno

import pymysql
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.database.redaction import without_passwords
from loadtest.model.errors import MoreThanAnnounced

MOST_CHARACTERS = 300
# For several options; the error's message names the option.
_OPTION_FORBIDS = 1290
KIND_BY_CODE = {
    1040: "too_many_connections",
    1203: "user_limit",
    1226: "user_limit",
    1129: "host_blocked",
    2006: "gone_away",
    4031: "gone_away",  # MySQL sends it before it closes an idle connection; PyMySQL reports 2013
    2013: "lost_during_query",
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
_CONNECT_ERRNO = {
    errno.EMFILE: "no_file_descriptor",
    errno.ENFILE: "no_file_descriptor",
    errno.EADDRNOTAVAIL: "no_local_port",
    errno.ECONNREFUSED: "refused",
}


def kind_of(error: BaseException) -> str:
    """The kind of a failure, one of ERROR_KINDS."""
    if isinstance(error, PoolTimeout):
        return "pool_timeout"
    if isinstance(error, MoreThanAnnounced):
        return "beyond_announced"
    # gevent.Timeout and other interruptions are no Exceptions. Closing a generator is harmless.
    if isinstance(error, TimeoutError) or not isinstance(error, Exception | GeneratorExit):
        return "interrupted"
    driver_error = getattr(error, "orig", None) or error
    code = error_code(driver_error)
    if code == 2003:
        # The driver reports every failure to connect with this code; the cause has the details.
        cause = getattr(driver_error, "original_exception", None)
        return _CONNECT_ERRNO.get(getattr(cause, "errno", None) or 0, "other")
    if code == _OPTION_FORBIDS and "read-only" not in str(driver_error):
        return "other"
    return KIND_BY_CODE.get(code or 0, "other")


def error_code(error: BaseException) -> int | None:
    """The error number of the server or the driver, as in MySQL's manual; None without one."""
    original = getattr(error, "orig", None) or error
    if not isinstance(original, pymysql.MySQLError):
        return None  # a KeyError(1213) in the scenario is not a deadlock
    first = original.args[0] if original.args else None
    return first if isinstance(first, int) else None


def words_of(error: BaseException) -> str:
    """The beginning of an error message, without passwords and statement parameters."""
    said = str(getattr(error, "orig", None) or error)
    return without_passwords(said[: 10 * MOST_CHARACTERS])[:MOST_CHARACTERS]
