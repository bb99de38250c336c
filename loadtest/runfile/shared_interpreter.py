"""The interpreter (the GIL), which a recording shares with the application's threads.

It imports the standard library only, because the launcher uses it.
"""

from __future__ import annotations

import threading
import time

# Other threads wait for as long (ns), and for the step that goes beyond it.
LONGEST_HOLD = 200_000
now = time.perf_counter_ns


class _Latest(threading.local):
    """When this thread last let others run."""

    at = 0


_latest = _Latest()


def let_others_run() -> None:
    """Give the interpreter to other threads, unless this thread has just done so."""
    if now() - _latest.at >= LONGEST_HOLD:
        time.sleep(0)
        _latest.at = now()
