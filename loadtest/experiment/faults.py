"""Provokes the faults of an experiment in each of its runs, and makes everything whole again."""

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

from loadtest.database.failures import words_of
from loadtest.database.private import PrivateServer
from loadtest.errors import LoadtestError, UsageError
from loadtest.experiment.relay import ORDERS, Relay
from loadtest.experiment.switches import (
    Limiting,
    Switch,
    freezing,
    killing,
    relaying,
    restarting,
)
from loadtest.faults import Fault

Happened = dict[str, Any]
"""What became of a fault: `fault`, when it really began and ended (wall clock), or a `problem`."""


class Faults:
    """The faults of an experiment on one database, ready to be provoked in each of its runs.

    url: the address that the runs connect to. server: the private server at `given`, if it is one.
    Raises UsageError if a fault needs a private server and there is none.
    """

    def __init__(self, faults: Sequence[Fault], given: URL, server: PrivateServer | None) -> None:
        self._faults, self._given, self._server = faults, given, server
        for fault in faults:
            if fault.of.done and server is None:
                raise UsageError(
                    f"fault {fault}: only a private server is {fault.of.done}; leave out "
                    "--database-url"
                )
        relayed = any(fault.kind in ORDERS for fault in faults)
        self._relay = Relay(given) if relayed else None
        self.url = self._relay.url if self._relay else given

    def close(self) -> None:
        """End what stands between the pool and the server."""
        if self._relay:
            self._relay.close()

    @contextmanager
    def provoked(self, measuring: float, client: int = 0) -> Iterator[list[Happened]]:
        """Provoke them in the background, at times after `measuring` (wall clock).

        client: the process that has the connections, or its parent; 0: this one. Gives what becomes
        of each, in their order; it is complete, and whatever was broken whole again, when this
        ends.
        """
        over = threading.Event()
        happened: list[Happened] = [{"fault": str(fault)} for fault in self._faults]
        threads = [
            threading.Thread(
                target=_provoke, args=(fault, self._switch(fault, client), measuring, over, told)
            )
            for fault, told in zip(self._faults, happened, strict=True)
        ]
        for thread in threads:
            thread.start()
        try:
            yield happened
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _switch(self, fault: Fault, client: int) -> Switch:
        if self._relay and fault.kind in ORDERS:
            return relaying(self._relay, fault)
        if fault.kind == "kill":
            ours = client or os.getpid()
            return killing(self._given, fault, self._relay.pid if self._relay else ours)
        assert self._server
        if fault.kind == "max-connections":
            return Limiting(self._given, fault.connections or 0)
        return restarting(self._server) if fault.kind == "restart" else freezing(self._server)


def _provoke(
    fault: Fault, switch: Switch, measuring: float, over: threading.Event, told: Happened
) -> None:
    begin = 0.0 if fault.lasting else measuring + fault.at - time.time()
    if over.wait(min(max(0.0, begin), threading.TIMEOUT_MAX)):
        return
    told["begin"] = time.time()
    _try(switch, True, told)
    over.wait(None if fault.lasting else fault.length or 0.0)
    _try(switch, False, told)
    told["end"] = time.time()


def _try(switch: Switch, broken: bool, told: Happened) -> None:
    """Do it; what goes wrong is told with the result, and the run goes on."""
    try:
        switch(broken)
    except (LoadtestError, SQLAlchemyError, psutil.Error, OSError) as error:
        told["problem"] = words_of(error)
