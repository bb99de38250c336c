"""What breaks, fault by fault: each a switch that breaks it (True) or makes it whole again."""

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
from loadtest.experiment.faults.relay import DEFAULT_PORT, Relay
from loadtest.model.errors import LoadtestError
from loadtest.model.fault import Fault

Switch = Callable[[bool], int | None]
"""Breaks something (True), or makes it whole again; tells how many connections it killed."""

_NO_SUCH_THREAD = 1094
SWITCH_SECONDS = 10


def relaying(relay: Relay, fault: Fault) -> Switch:
    """What a relay does to the connections through it."""
    return lambda broken: relay.order(fault.kind, (fault.value or 1.0) if broken else 0.0)


def freezing(server: PrivateServer) -> Switch:
    """Stops a server's process, which keeps its connections and answers nobody; lets it go on."""

    def switch(broken: bool) -> None:
        with suppress(psutil.NoSuchProcess):
            server.process.send_signal(signal.SIGSTOP if broken else signal.SIGCONT)

    return switch


def restarting(server: PrivateServer) -> Switch:
    """Shuts a server down, as whoever maintains it would; starts it again on the same files."""
    return lambda broken: server.shut_down() if broken else server.start_again()


class Limiting:
    """Lowers a private server's `max_connections`; connections that are open stay.

    It keeps its own connection meanwhile: when it wants to undo this there may be no place for one.
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
            return  # it never came so far
        value = self._connections if broken else self._before
        self._own.execute(text("SET GLOBAL max_connections = :value"), {"value": value})
        if not broken:
            self._own.close()
            self._own = None


def killing(url: URL, fault: Fault, client: int) -> Switch:
    """Kills connections that a process and its children have to a database, all or some of them.

    client: the process. Only its own connections: they are known by their ports, so that others
    who have the same user and the same database keep theirs.
    """

    # A server that hangs holds up this fault, and not the end of the run.
    engine = _beside(url, connect_timeout=SWITCH_SECONDS, read_timeout=SWITCH_SECONDS)

    def switch(broken: bool) -> int | None:
        if not broken:
            return None
        with engine.connect() as own:
            found = _threads(own, url, _ports_of(client, url.port or DEFAULT_PORT))
            if not found:
                raise LoadtestError("the server's process list has no connection of this run")
            return sum(_kill(own, thread) for thread in _chosen(found, fault))

    return switch


def _beside(url: URL, **how: float) -> Engine:
    """For connections beside the pools: with no database chosen, by which they are told apart."""
    return create_engine(
        url.set(database=""), poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=how
    )


def _threads(own: Connection, url: URL, ports: set[int]) -> list[int]:
    """The server's numbers of connections to this database that come from these ports."""
    rows = own.execute(text("SHOW PROCESSLIST")).mappings()
    return [
        int(row["Id"]) for row in rows if row["db"] == url.database and _port(row["Host"]) in ports
    ]


def _port(host: str) -> int | None:
    """The port of a host in the process list; None of one who comes through a socket file."""
    port = host.rpartition(":")[2]
    return int(port) if port.isdecimal() else None


def _ports_of(client: int, port: int) -> set[int]:
    """The local ports of all connections that a process and its children have to a port."""
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
    """Whether it was still there to be killed."""
    try:
        own.execute(text("KILL :thread"), {"thread": thread})
    except OperationalError as error:
        if error_code(error) != _NO_SUCH_THREAD:
            raise
        return False
    return True
