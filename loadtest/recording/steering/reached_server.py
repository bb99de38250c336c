"""Tells the tool which server the connections of a driven engine really reach."""

from __future__ import annotations

import logging
import os
from typing import Any

from sqlalchemy import Engine, event

from loadtest.model.server_identity import IDENTIFIED, IDENTITY_QUERY, ReachedServer
from loadtest.recording.steering.orders import Orders
from loadtest.recording.steering.told import tell

_log = logging.getLogger("loadtest.recording")


def tell_reached(orders: Orders, engine: Engine, number: int) -> None:
    """Ask the server on the first connection of an engine in each process, and tell the answer.

    number: the engine's in the process that calls this.
    """
    if engine.dialect.name not in IDENTIFIED:
        return
    maker, asked = os.getpid(), set[int]()

    def connected(connection: Any, _record: Any) -> None:
        process = os.getpid()
        if process not in asked:
            asked.add(process)
            told = _reached(connection)
            tell(orders, "reached", pid=process, maker=maker, number=number, **told._asdict())

    event.listen(engine.pool, "connect", connected)


def _reached(connection: Any) -> ReachedServer:
    """The server of a connection of the driver; empty if it does not answer the question."""
    try:
        cursor = connection.cursor()
        try:
            cursor.execute(IDENTITY_QUERY)
            return ReachedServer.of(cursor.fetchone())
        finally:
            cursor.close()
            connection.rollback()
    except Exception as error:  # the application must go on
        _log.warning("a server does not tell its identity: %s", type(error).__name__)
        return ReachedServer("", "")
