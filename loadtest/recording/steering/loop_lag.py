"""The lag of the event loops of a driven application, and checkouts that block them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from weakref import WeakKeyDictionary

from loadtest.model.distribution import Distribution
from loadtest.model.interval import SECOND, Interval
from loadtest.pool.checkout_batch import clock
from loadtest.pool.place_recorder import Route
from loadtest.pool.task_usage import taken

_SAMPLE_SECONDS = 0.01
LOOP_LAG = "loop_lag"
_PERIOD = int(_SAMPLE_SECONDS * SECOND)
# epoll waits in whole milliseconds, rounded up.
_GRANULARITY = 1_000_000


class LoopLag:
    """Samples the event loops in which checkouts of a pool begin, every 10 ms.

    blocks: whether the driver of the pool blocks a loop. checkouts: those of such a driver in a
    loop so far. A sample that is later than the next due times counts for all of them, so a share
    of the samples is a share of the time.
    """

    def __init__(self, *, blocks: bool) -> None:
        self._blocks = blocks
        self.checkouts = 0
        self._lags: list[int] = []
        self._due: MutableMapping[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()

    def noting(self, route: Callable[[], Route]) -> Callable[[], Route]:
        """The function that is called once at the begin of each checkout, and notes its loop."""
        running_loop, due = asyncio._get_running_loop, self._due

        def route_now() -> Route:
            loop = running_loop()
            if loop is not None:
                self.checkouts += self._blocks
                if loop not in due:
                    self._begin(loop)
            return route()

        return route_now

    def restart(self) -> None:
        """Forget the loops of the parent, after a fork."""
        self._due.clear()
        self._lags.clear()

    def add_to(self, interval: Interval) -> None:
        """Add the lags since the last call to an interval."""
        lags = [*taken(self._lags), *self._blocked(clock())]
        if lags:
            interval.histograms[LOOP_LAG] = Distribution.of(lags)

    def _blocked(self, now: int) -> list[int]:
        """How late the loops are that have been blocked for a second; they may never go on."""
        late = [now - due for loop, due in list(self._due.items()) if loop.is_running()]
        return [one for one in late if one >= SECOND]

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due[loop] = clock() + _PERIOD
        loop.call_later(_SAMPLE_SECONDS, self._sample, loop)

    def _sample(self, loop: asyncio.AbstractEventLoop) -> None:
        now = clock()
        late = now - self._due.get(loop, now) - _GRANULARITY
        self._lags.extend(range(max(late, 0), -1, -_PERIOD))
        self._begin(loop)
