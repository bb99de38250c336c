"""Faults that an experiment provokes: what breaks, when, and for how long."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil

from loadtest.config import Fault
from loadtest.database.private import PrivateServer


@contextmanager
def provoked(
    faults: Sequence[Fault], server: PrivateServer | None, measuring: float
) -> Iterator[None]:
    """Provoke faults in the background; `measuring` is the wall clock time that they count from.

    Whatever is broken when this ends is whole again.
    """
    over = threading.Event()
    threads = [
        threading.Thread(target=_provoke, args=(fault, server, measuring + fault.at, over))
        for fault in faults
        if server
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _provoke(fault: Fault, server: PrivateServer, at: float, over: threading.Event) -> None:
    if not over.wait(min(max(0.0, at - time.time()), threading.TIMEOUT_MAX)):
        freeze(server, fault.length, over)


def freeze(server: PrivateServer, seconds: float, over: threading.Event) -> None:
    """Stop the server's process, which keeps its connections and answers nobody, then go on."""
    process = server.process
    process.send_signal(signal.SIGSTOP)
    try:
        over.wait(seconds)
    finally:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)
