"""Differences between the drivers that an application may use."""

from __future__ import annotations

import logging
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, event

from loadtest.pool.sqlalchemy_internals import creator_of

logger = logging.getLogger("loadtest")

# By module of the connection class, because mysql-connector-python has two implementations.
PURE_CONNECTOR = "mysql-connector-python (pure Python)"
_NAMES = {
    "pymysql.connections": "PyMySQL",
    "MySQLdb.connections": "mysqlclient",
    "mysql.connector.connection": PURE_CONNECTOR,
    "mysql.connector.connection_cext": "mysql-connector-python (C extension)",
}


def driver_of(connection: Any) -> str:
    """The name of the driver that opened a connection; for an unknown driver, its package."""
    modules = [cls.__module__ for cls in type(connection).__mro__]
    known = (_NAMES[module] for module in modules if module in _NAMES)
    return next(known, modules[0].partition(".")[0])


class ConnectionKiller:
    """Makes the server end connections of an engine that other threads are using.

    A driver written in C may crash the process if a connection is closed while another thread waits
    for an answer. The connection's id is read when it is opened, because mysqlclient does not
    report it while another thread uses the connection.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        event.listen(engine, "connect", self._note)

    def _note(self, connection: Any, _record: object) -> None:
        if hasattr(connection, "connection_id"):  # mysql-connector-python
            self._numbers[connection] = connection.connection_id
        else:
            self._numbers[connection] = connection.thread_id()

    def kill(self, connections: list[Any]) -> None:
        """End these connections, if the server accepts another connection."""
        numbers = [self._numbers[one] for one in connections if one in self._numbers]
        if not numbers:
            return
        try:
            killing = creator_of(self._engine.pool)()
        except Exception as error:  # the server is full or away; each driver has its own class
            logger.warning("%d connections could not be ended: %s", len(numbers), error)
            return
        for number in numbers:
            _kill(killing, number)
        killing.close()


def _kill(killing: Any, number: int) -> None:
    cursor = killing.cursor()
    try:
        cursor.execute(f"KILL CONNECTION {number}")
    except Exception as error:  # the connection may be gone; each driver has its own class
        logger.debug("connection %d could not be ended: %s", number, error)
    finally:
        cursor.close()
