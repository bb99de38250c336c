"""The same event is of the same kind with every driver, which has error classes of its own."""

from __future__ import annotations

import errno
import importlib
import socket
from collections.abc import Callable
from typing import Any

import MySQLdb
import pymysql
import pytest
from mysql.connector import errors as connector
from sqlalchemy import URL, create_engine
from sqlalchemy.exc import DBAPIError, OperationalError

from loadtest.database.connection_errors import connection_error
from loadtest.database.failure_kinds import KIND_BY_CODE, error_code, kind_of
from tests.database.test_failures import kind_raised_by

WORDS = "in the words of the server, with --read-only"
ERRORS: dict[str, Callable[[int], Exception]] = {
    "PyMySQL": lambda number: pymysql.err.OperationalError(number, WORDS),
    "mysqlclient": lambda number: MySQLdb.OperationalError(number, WORDS),
    "mysql-connector-python": lambda number: connector.get_mysql_exception(number, WORDS, "HY000"),
}
CONNECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "PyMySQL": ("mysql+pymysql", {}),
    "mysqlclient": ("mysql+mysqldb", {}),
    "mysql-connector-python": ("mysql+mysqlconnector", {"use_pure": True}),
}


@pytest.mark.parametrize("driver", ERRORS)
@pytest.mark.parametrize("number", KIND_BY_CODE)
def test_a_number_has_its_kind_with_every_driver(driver: str, number: int) -> None:
    error = ERRORS[driver](number)
    wrapped = OperationalError("SELECT 1", {}, error)
    assert [error_code(one) for one in (error, wrapped)] == [number, number]
    assert [kind_of(one) for one in (error, wrapped)] == [KIND_BY_CODE[number]] * 2


@pytest.mark.parametrize("driver", ERRORS)
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (f"Can't connect to server on '127.0.0.1' ({errno.ECONNREFUSED})", "refused"),
        (f"Can't connect to server on '127.0.0.1' ({errno.EADDRNOTAVAIL})", "no_local_port"),
        (f"Can't connect to server through socket '/s' ({errno.ENOENT})", "connect_failed"),
        (f"2003: Can't connect to '(host)' ({errno.EMFILE} \"Too many\")", "no_file_descriptor"),
        ("Unknown server host 'nowhere' (-2)", "connect_failed"),
    ],
)
@pytest.mark.parametrize("number", [2002, 2003])
def test_what_kept_a_driver_from_connecting(
    driver: str, words: str, kind: str, number: int
) -> None:
    error = ERRORS[driver](number)
    error.args = (number, words)
    error._full_msg = words  # the text of mysql-connector-python
    assert kind_of(error) == kind


@pytest.mark.parametrize("driver", CONNECTS)
def test_a_port_where_nobody_listens_with_every_driver(driver: str) -> None:
    scheme, arguments = CONNECTS[driver]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = URL.create(scheme, "u", "p", "127.0.0.1", taken.getsockname()[1], "d")
        engine = create_engine(url, connect_args=arguments)
        assert kind_raised_by(engine.connect) == "refused"
        with pytest.raises(DBAPIError) as raised:
            engine.connect()
    message = str(connection_error(raised.value, url))
    assert f"no database answers at 127.0.0.1:{url.port}" in message
    assert ": check that the server is running" in message


def caused_by(error: Exception, cause: BaseException) -> Exception:
    """An error that was raised from another one."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (caused_by(connector.OperationalError(errno=2055), BrokenPipeError()), "gone_away"),
        (
            caused_by(connector.OperationalError(errno=2055), ConnectionResetError()),
            "lost_during_query",
        ),
        (connector.InterfaceError(errno=2013), "lost_during_query"),
        (connector.ReadTimeoutError(errno=3024), "lost_during_query"),
        (connector.WriteTimeoutError(), "lost_during_query"),
        (connector.ConnectionTimeoutError(errno=3024), "connect_failed"),
        (
            caused_by(
                connector.InterfaceError(errno=2003), OSError(errno.EADDRNOTAVAIL, "no port")
            ),
            "no_local_port",
        ),
        (connector.InternalError("Unread result found"), "concurrent_use"),
        (connector.OperationalError("MySQL Connection not available"), "gone_away"),
        (connector.InterfaceError("Connection to MySQL is not available"), "gone_away"),
        (pymysql.err.InternalError("Packet sequence number wrong - got 3"), "concurrent_use"),
        (MySQLdb.InterfaceError(0, ""), "other"),
    ],
)
def test_peculiarities_of_a_driver(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind


@pytest.mark.parametrize(
    "error",
    [
        MySQLdb.InterfaceError(0, ""),
        pymysql.err.InterfaceError(0, ""),
        connector.OperationalError("of no number"),
    ],
)
def test_without_a_number_sqlalchemys_classification_decides(error: Exception) -> None:
    lost = OperationalError("SELECT 1", {}, error, connection_invalidated=True)
    assert kind_of(lost) == "gone_away"
    assert kind_of(OperationalError("SELECT 1", {}, error)) == "other"


def test_the_names_of_the_drivers_packages_are_those_of_their_errors() -> None:
    for name in ("pymysql", "MySQLdb", "mysql.connector"):
        error = importlib.import_module(name).OperationalError
        assert error_code(error(1213) if name != "mysql.connector" else error(errno=1213)) == 1213
