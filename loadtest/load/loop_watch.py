"""Measures which tasks block the event loop, in samples after busy or late seconds."""

from __future__ import annotations

from locust import User

import time
from collections import Counter
from functools import partial
from typing import Any

import gevent
from greenlet import gettrace, settrace

from loadtest.model.trust_limits import BUSY_CPU, NOTABLE_LAG
from loadtest.pool.checkout_batch import clock
from loadtest.pool.recorder import Recorder

_CHECK_SECONDS = 1.0
_SAMPLE_SECONDS = 0.1
# The counters (ns): the time in samples, and the part of each task or class of users.
_WATCHED, _KEPT_BY = "loop_watched", "loop."


class LoopWatch:
    """Samples the event loop into the counters of a recorder.

    Python calls greenlet's trace function at every switch, which takes up to 2 % of a core. So a
    sample is short, and follows only a second that would make a run not valid.

    kept: the sampled time by task or class of users (ns). since: the end of what was sampled, on
    the recorder's clock. loop: the event loop, whose timers work under any kind of users.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.kept: Counter[str] = Counter()
        self._cpu, self._at = time.process_time_ns(), clock()
        self.since = self._at
        self.loop = gevent.get_hub().loop
        self._checks = self.loop.timer(_CHECK_SECONDS, _CHECK_SECONDS)
        self._checks.start(self._check, update=True)
        self._end: Any = None

    def _check(self) -> None:
        cpu, now = time.process_time_ns(), clock()
        busy = cpu - self._cpu >= BUSY_CPU * (now - self._at)
        self._cpu, self._at = cpu, now
        lags = self.recorder.lags.copy()
        late = sum(lags) > NOTABLE_LAG * 1e9 * len(lags)
        if (busy or late) and self._end is None and gettrace() is None:
            self._begin()

    def _begin(self) -> None:
        self.since = clock()
        self._begin_sample()
        self._end = self.loop.timer(_SAMPLE_SECONDS)
        self._end.start(self._finish, update=True)

    def _begin_sample(self) -> None:
        settrace(self._switched)

    def _end_sample(self) -> None:
        settrace(None)

    def _switched(self, event: str, greenlets: tuple[Any, Any]) -> None:
        left, now = greenlets[0], clock()
        task = self.recorder.tasks.get(left)
        self.kept[task.name if task else class_of(left)] += now - self.since
        self.since = now

    def _finish(self) -> None:
        self._end_sample()
        self._end.close()
        self._end = None
        self._cpu, self._at = time.process_time_ns(), clock()
        rising = self.recorder.rising
        rising.setdefault(_WATCHED, self.kept.total)
        for name in filter(None, self.kept):
            rising.setdefault(_KEPT_BY + name, partial(self.kept.__getitem__, name))

    def stop(self) -> None:
        """End the samples."""
        if self._end:
            self._finish()
        self._checks.stop()
        self._checks.close()


def class_of(run_by: Any) -> str:
    """The name of the class of the user that a greenlet or a thread runs; empty for other ones."""
    first = next(iter(getattr(run_by, "args", ())), None)
    return type(first).__name__ if isinstance(first, User) else ""
