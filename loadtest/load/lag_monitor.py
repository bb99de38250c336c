"""Measures the event-loop lag of the load generator."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from gevent.monkey import is_module_patched

from loadtest.load.loop_watch import LoopWatch
from loadtest.load.users.thread_watch import ThreadWatch
from loadtest.pool.checkout_batch import clock
from loadtest.pool.recorder import Recorder

SAMPLE_SECONDS = 0.01
# epoll waits in whole milliseconds, rounded up: an idle loop is up to this late for a timer, but
# not for the answer of a database.
GRANULARITY = 1_000_000


def watch_lag(recorder: Recorder) -> Callable[[], None]:
    """Sample the event-loop lag (ns) into `recorder.lags`; the returned function stops that.

    The code that keeps the loop is sampled, too; with threads, the code that uses the CPU.

    A sample is due every 10 ms. A sample that is later than the next due times counts for all of
    them. So a share of the samples is a share of the time, and their mean is the mean delay of an
    event. The timer's callback needs no greenlet, because switching costs as much as five
    checkouts.
    """
    period = int(SAMPLE_SECONDS * 1e9)
    due = clock() + period

    def sample() -> None:
        nonlocal due
        now = clock()
        due = min(due, now)  # after a long delay the timer may be ahead of this schedule
        late = now - due - GRANULARITY
        recorder.lags.extend(range(max(late, 0), -1, -period))
        due += period * (1 + (now - due) // period)

    timer = gevent.get_hub().loop.timer(SAMPLE_SECONDS, SAMPLE_SECONDS)
    timer.start(sample, update=True)
    watch = (LoopWatch if is_module_patched("threading") else ThreadWatch)(recorder)

    def stop() -> None:
        watch.stop()
        timer.stop()
        timer.close()

    return stop
