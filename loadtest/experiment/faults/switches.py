"""The faults as switches: each breaks something (True) or undoes it (False)."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from loadtest.database.failure_kinds import error_code
from loadtest.database.private_server import PrivateServer
from loadtest.database.redaction import port_of
from loadtest.experiment.faults.relay import Relay
from loadtest.model.errors import LoadtestError
from loadtest.model.fault import Fault

Switch = Callable[[bool], int | None]
"""Breaks something (True) or undoes it (False); returns the number of killed connections."""

_NO_SUCH_THREAD = 1094
SWITCH_SECONDS = 10


def relaying(relay: Relay, fault: Fault) -> Switch:
    """Lets a relay disturb the connections through it."""
    return lambda broken: relay.order(fault.kind, (fault.value or 1.0) if broken else 0.0)


def freezing(server: PrivateServer) -> Switch:
    """Stops a server's process, which keeps its connections but does not answer; continues it."""

    def switch(broken: bool) -> None:
        with suppress(psutil.NoSuchProcess):
            server.process.send_signal(signal.SIGSTOP if broken else signal.SIGCONT)

    return switch


def restarting(server: PrivateServer) -> Switch:
    """Shuts a server down cleanly; starts it again on the same files."""
    return lambda broken: server.shut_down() if broken else server.start_again()


class Limiting:
    """Lowers a private server's `max_connections`; open connections stay open.

    Keeps its own connection, because the full server may refuse a new one for the undo.
    """

    def __init__(self, url: URL, connections: int) -> None:
        self._engine, self._connections = _beside(url), connections
        self._own: Connection | None = None
        self._before = 0

    def __call__(self, broken: bool) -> None:
        if broken:
            self._own = self._engine.connect()
            self._before = int(self._own.scalar(text("SELECT @@GLOBAL.max_connections")) or 0)
        if self._own is None:
            return  # the limit was not lowered
        value = self._connections if broken else self._before
        self._own.execute(text("SET GLOBAL max_connections = :value"), {"value": value})
        if not broken:
            self._own.close()
            self._own = None


def killing(url: URL, fault: Fault, client: int) -> Switch:
    """Kills connections of a process and its children to a database, all or some of them.

    client: the process. Its connections are identified by their local ports, so that other clients
    with the same user and database keep theirs.
    """

    # The timeouts keep a server that hangs from delaying the end of the run.
    engine = _beside(url, connect_timeout=SWITCH_SECONDS, read_timeout=SWITCH_SECONDS)

    def switch(broken: bool) -> int | None:
        if not broken:
            return None
        with engine.connect() as own:
            found = _threads(own, url, _ports_of(client, port_of(url)))
            if not found:
                raise LoadtestError("the server's process list has no connection of this run")
            return sum(_kill(own, thread) for thread in _chosen(found, fault))

    return switch


def _beside(url: URL, **how: float) -> Engine:
    """An engine for connections outside the pools, without a database to distinguish them."""
    return create_engine(
        url.set(database=""), poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=how
    )


def _threads(own: Connection, url: URL, ports: set[int]) -> list[int]:
    """The ids of the connections to this database that come from these ports."""
    rows = own.execute(text("SHOW PROCESSLIST")).mappings()
    return [
        int(row["Id"]) for row in rows if row["db"] == url.database and _port(row["Host"]) in ports
    ]


def _port(host: str) -> int | None:
    """The port of a host in the process list; None for a socket file."""
    port = host.rpartition(":")[2]
    return int(port) if port.isdecimal() else None


def _ports_of(client: int, port: int) -> set[int]:
    """The local ports of the connections of a process and its children to a port."""
    first = psutil.Process(client)
    found: set[int] = set()
    for process in [first, *first.children(recursive=True)]:
        with suppress(psutil.Error):  # it may end meanwhile
            for one in process.net_connections("tcp"):
                if one.raddr and one.raddr.port == port:
                    found.add(one.laddr.port)
    return found


def _chosen(threads: Sequence[int], fault: Fault) -> Sequence[int]:
    share = fault.share if fault.share is not None else 1.0
    number = fault.connections or max(1, round(share * len(threads)))
    return random.sample(threads, min(number, len(threads)))


def _kill(own: Connection, thread: int) -> bool:
    """Kill a connection; False if it has already ended."""
    try:
        own.execute(text("KILL :thread"), {"thread": thread})
    except OperationalError as error:
        if error_code(error) != _NO_SUCH_THREAD:
            raise
        return False
    return True
