"""Faults that an experiment provokes: what breaks, when, and for how long."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil
from sqlalchemy import URL

from loadtest.database.private import PrivateServer
from loadtest.errors import UsageError
from loadtest.experiment.relay import Relay
from loadtest.loads import Fault

Switch = Callable[[bool], None]
"""Breaks something (True), or makes it whole again."""


class Faults:
    """The faults of an experiment on one database, ready to be provoked in each of its runs.

    url: the address that the runs connect to. server: the private server at `given`, if it is one.
    Raises UsageError if a fault needs a private server and there is none.
    """

    def __init__(self, faults: Sequence[Fault], given: URL, server: PrivateServer | None) -> None:
        delays = any(fault.delay for fault in faults)
        self._faults, self._server = faults, server
        for fault in faults:
            if fault.kind == "freeze" and server is None:
                raise UsageError(
                    f"fault {fault}: only a private server is frozen; leave out --database-url"
                )
        self._relay = Relay(given) if delays else None
        self.url = self._relay.url if self._relay else given

    def close(self) -> None:
        """End what stands between the pool and the server."""
        if self._relay:
            self._relay.close()

    @contextmanager
    def provoked(self, measuring: float) -> Iterator[None]:
        """Provoke them in the background, at times after `measuring` (wall clock).

        Whatever is broken when this ends is whole again.
        """
        over = threading.Event()
        threads = [
            threading.Thread(target=_provoke, args=(fault, self._switch(fault), measuring, over))
            for fault in self._faults
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _switch(self, fault: Fault) -> Switch:
        if self._relay and fault.delay:
            relay, delay = self._relay, fault.delay
            return lambda broken: relay.delay(delay if broken else 0.0)
        assert self._server
        return _freezing(self._server.process)


def _provoke(fault: Fault, switch: Switch, measuring: float, over: threading.Event) -> None:
    lasting = fault.length is None
    begin = 0.0 if lasting else measuring + fault.at - time.time()
    if over.wait(min(max(0.0, begin), threading.TIMEOUT_MAX)):
        return
    switch(True)
    try:
        over.wait(fault.length)
    finally:
        switch(False)


def _freezing(server: psutil.Process) -> Switch:
    """Stops a server's process, which keeps its connections and answers nobody; lets it go on."""

    def switch(broken: bool) -> None:
        with suppress(psutil.NoSuchProcess):
            server.send_signal(signal.SIGSTOP if broken else signal.SIGCONT)

    return switch
