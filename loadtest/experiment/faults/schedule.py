"""Provokes the faults of an experiment in each of its runs, and undoes them afterwards."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from loadtest.database.failure_kinds import words_of
from loadtest.database.private_server import PrivateServer
from loadtest.experiment.faults.relay import ORDERS, Relay
from loadtest.experiment.faults.switches import (
    Limiting,
    Switch,
    freezing,
    killing,
    relaying,
    restarting,
)
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.model.fault import Fault

Happened = dict[str, Any]
"""The outcome of a fault: `fault`, its actual `begin` and `end` (wall clock), the number of
connections `killed`, or a `problem`.
"""


class FaultSchedule:
    """The faults of an experiment on one database, ready to be provoked in each of its runs.

    url: the URL that the runs connect to. relay: the one between them and the server, if any.
    server: the private server at `given`, if it is one. driven: whether an application behind HTTP
    connects, so that only the relay knows its connections.
    Raises UsageError if a fault needs a private server and there is none, or if faults need host
    and port but the URL has a socket file.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        given: URL,
        server: PrivateServer | None,
        *,
        driven: bool = False,
    ) -> None:
        self._faults, self._given, self._server = faults, given, server
        if server is None:
            refuse_without_private_server(faults, "leave out --database-url")
        if faults and "unix_socket" in given.query:
            raise UsageError(
                f"fault {faults[0]}: the database URL has a unix_socket; faults need host and port"
            )
        relayed = (*ORDERS, "kill") if driven else ORDERS
        self.relay = Relay(given) if any(fault.kind in relayed for fault in faults) else None
        self.url = self.relay.url if self.relay else given

    def close(self) -> None:
        """End the relay between the pool and the server."""
        if self.relay:
            self.relay.close()

    @contextmanager
    def provoked(self, measuring: float, client: int = 0) -> Iterator[list[Happened]]:
        """Provoke the faults in the background, at times after `measuring` (wall clock).

        client: the process with the connections, or its parent; 0: this process. Yields the
        outcomes in the order of the faults. At the end of the context they are complete, and all
        faults are undone.
        """
        run = _Meanwhile()
        happened: list[Happened] = [{"fault": str(fault)} for fault in self._faults]
        threads = [
            threading.Thread(
                target=_provoke, args=(fault, self._switch(fault, client), measuring, run, told)
            )
            for fault, told in zip(self._faults, happened, strict=True)
        ]
        for thread in threads:
            thread.start()
        try:
            yield happened
        finally:
            run.over.set()
            for thread in threads:
                thread.join()

    def _switch(self, fault: Fault, client: int) -> Switch:
        if self.relay and fault.kind in ORDERS:
            return relaying(self.relay, fault)
        if fault.kind == "kill":
            ours = client or os.getpid()
            return killing(self._given, fault, self.relay.pid if self.relay else ours)
        assert self._server
        if fault.kind == "max-connections":
            return Limiting(self._given, fault.connections or 0)
        return restarting(self._server) if fault.kind == "restart" else freezing(self._server)


def refuse_without_private_server(faults: Sequence[Fault], advice: str) -> None:
    """Raise UsageError if a fault needs a private server; advice: how to get one."""
    for fault in faults:
        if done := fault.of.done:
            raise UsageError(f"fault {fault}: only a private server can be {done}; {advice}")


class _Meanwhile:
    """The time of a run by a wall clock that is read once, like the run's seconds: faults and
    seconds stay aligned if the clock is set.
    """

    def __init__(self) -> None:
        self.over = threading.Event()
        self._epoch = time.time() - time.monotonic()

    @property
    def now(self) -> float:
        return self._epoch + time.monotonic()


def _provoke(
    fault: Fault, switch: Switch, measuring: float, run: _Meanwhile, told: Happened
) -> None:
    begin = 0.0 if fault.lasting else measuring + fault.at - run.now
    if run.over.wait(min(max(0.0, begin), threading.TIMEOUT_MAX)):
        return
    told["begin"] = run.now
    _try(switch, True, told)
    run.over.wait(None if fault.lasting else fault.length or 0.0)
    _try(switch, False, told)
    told["end"] = run.now


def _try(switch: Switch, broken: bool, told: Happened) -> None:
    """Switch; an error is noted in the outcome, and the run continues."""
    try:
        killed = switch(broken)
    except (LoadtestError, SQLAlchemyError, psutil.Error, OSError) as error:
        told["problem"] = words_of(error)
        return
    if killed is not None:
        told["killed"] = killed
