"""Ctrl-C in a Locust process: once ends a run in good order, twice ends it at once."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import gevent

# What a shell says of a program that Ctrl-C ended.
INTERRUPTED = 130


def on_ctrl_c() -> Any:
    """Let Ctrl-C raise KeyboardInterrupt here; the handler, None where somebody else has one.

    Else it would raise in the greenlet that is running, a user in a checkout for example.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return None
    here, asked = gevent.getcurrent(), list[bool]()

    def interrupt() -> None:
        if asked:
            # Each second is in the file; the server's keeper and the workers see that we are gone.
            print("\nInterrupted twice: the run ends here", file=sys.stderr, flush=True)
            os._exit(INTERRUPTED)
        asked.append(True)
        gevent.kill(here, KeyboardInterrupt)

    return gevent.signal_handler(signal.SIGINT, interrupt)
