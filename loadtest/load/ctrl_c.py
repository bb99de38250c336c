"""Ctrl-C in a Locust process: the first ends a run in good order, the second at once."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import gevent

# A shell's exit code for a program that Ctrl-C ended.
INTERRUPTED = 130


def on_ctrl_c() -> Any:
    """Let Ctrl-C raise KeyboardInterrupt here; returns the handler, None if one exists already.

    Python would raise it in the running greenlet, for example in a user's checkout.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return None
    here, asked = gevent.getcurrent(), list[bool]()

    def interrupt() -> None:
        if asked:
            # The file is complete up to the last second. The server's supervisor and the workers
            # notice the end of this process.
            print("\nInterrupted twice: the run ends now", file=sys.stderr, flush=True)
            os._exit(INTERRUPTED)
        asked.append(True)
        gevent.kill(here, KeyboardInterrupt)

    return gevent.signal_handler(signal.SIGINT, interrupt)
