"""The server at which faults act for an application that finds its database without this tool."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import URL

from loadtest.database.engine import DRIVER
from loadtest.experiment.driving.servers.server_address import address_in_words, server_address
from loadtest.experiment.driving.told_engines import ToldEngine
from loadtest.model.errors import UsageError
from loadtest.model.fault import Fault

_KILLS = "mysql"


def fault_address(faults: Sequence[Fault], engine: ToldEngine | None, given: URL | None) -> URL:
    """The URL of the server at which faults act.

    engine: the application's; None if requests make it. given: a URL of the same server for the
    tool, if any. Raises UsageError if faults cannot act there.
    """
    if engine is None:
        raise UsageError(
            f"fault {faults[0]}: the application makes its engine with a request, so its server is "
            "not known before the load: let the URL of --ready use the database"
        )
    kind, host, port = server_address(engine.url)
    if port is None:
        raise UsageError(
            f"fault {faults[0]}: faults need host and port, but the engine {engine} connects to "
            f"{address_in_words(engine.url)}"
        )
    if kind == _KILLS:
        seen = (given or engine.url).set(host=host, port=port, database=engine.url.database)
        return seen.set(drivername=DRIVER, query=_socket_file(engine.url))
    if kills := [fault for fault in faults if fault.kind == "kill"]:
        raise UsageError(
            f"fault {kills[0]}: only MariaDB and MySQL can kill connections for this tool, but the "
            f"engine {engine} connects to {kind}"
        )
    return engine.url.set(host=host, port=port)


def _socket_file(url: URL) -> dict[str, str | tuple[str, ...]]:
    """The part of a query that names a socket file, which makes faults impossible."""
    return {name: value for name, value in url.query.items() if name == "unix_socket"}
