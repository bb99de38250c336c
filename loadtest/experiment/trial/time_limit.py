"""The time limit of a call in the trial of a scenario."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from time import thread_time
from typing import Any, cast

# How long a call may go on after it has reached its limit, for example to close its session.
CATCH_SECONDS = 5.0
# A call that computes for more of its time than this blocks all other users.
COMPUTING_SHARE = 0.9
# Of the main thread: how long it ran and how long it waited for a processor (ns).
_SCHEDULED = Path("/proc/self/schedstat")


class TooLong(SystemExit):
    """A task reached its time limit.

    A signal may raise it in any greenlet: gevent passes a SystemExit on to the main one.
    """


def busy_seconds() -> float:
    """How long the main thread has used a processor or, on Linux, waited for one (s)."""
    try:
        ran, waited = _SCHEDULED.read_text().split()[:2]
    except (OSError, ValueError):  # another system, or a kernel without these numbers
        return thread_time()
    return (int(ran) + int(waited)) / 1e9


class TimeLimit:
    """A context that raises TooLong in its block after some seconds, once; main thread only.

    give_up: called with that TooLong if the block still goes on CATCH_SECONDS later, because it
    caught the TooLong. raised: the TooLong; None before the limit. computed: whether the block had
    used a processor, or waited for one, for most of its time.
    """

    def __init__(self, seconds: float, give_up: Callable[[TooLong], object]) -> None:
        self.raised: TooLong | None = None
        self.computed = False
        self._seconds, self._give_up = seconds, give_up
        self._begin, self._before = 0.0, cast(Any, None)

    def __enter__(self) -> TimeLimit:
        self._begin = busy_seconds()
        self._before = signal.signal(signal.SIGALRM, self._end)
        signal.setitimer(signal.ITIMER_REAL, self._seconds, CATCH_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _end(self, *_: Any) -> None:
        if self.raised:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._give_up(self.raised)
            return
        self.computed = busy_seconds() - self._begin > COMPUTING_SHARE * self._seconds
        self.raised = TooLong()
        raise self.raised
