"""Measures which tasks use the CPU if users are OS threads, in samples as of the event loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from loadtest.load.loop_watch import LoopWatch, class_of
from loadtest.load.users.session_task import SessionTask
from loadtest.load.users.thread_users import UserThread
from loadtest.pool.checkout_batch import clock

_TICK_SECONDS = 0.01


class ThreadWatch(LoopWatch):
    """Samples the CPU time of users' threads into the counters of a recorder.

    CPU time between two ticks counts for a task if its request lasted from one to the other, and
    otherwise for the class of the user: a shorter request may not be the one that used it.
    """

    def _begin_sample(self) -> None:
        self._used = dict(_used())
        self._ticks = self.loop.timer(_TICK_SECONDS, _TICK_SECONDS)
        self._ticks.start(self._tick, update=True)

    def _end_sample(self) -> None:
        self._ticks.stop()
        self._ticks.close()
        self._tick()

    def _tick(self) -> None:
        now, known = clock(), self._used
        self._used = dict(_used())
        rest = now - self.since
        for thread, used in self._used.items():
            since = used - known.get(thread, used)
            if since:
                self.kept[self._name(thread)] += since
                rest -= since
        self.kept[""] += rest  # negative if threads ran at once, in code that needs no Python
        self.since = now

    def _name(self, thread: UserThread) -> str:
        task: Any = self.recorder.tasks.get(thread.greenlet) if thread.greenlet else None
        if isinstance(task, SessionTask) and task.began <= self.since:
            return task.name
        return class_of(thread)


def _used() -> Iterator[tuple[UserThread, int]]:
    """The CPU time of each user's thread (ns), where the system tells it."""
    for thread in threading.enumerate():
        if isinstance(thread, UserThread) and thread.cpu_clock is not None:
            try:
                yield thread, time.clock_gettime_ns(thread.cpu_clock)
            except OSError:
                continue  # the thread has ended
