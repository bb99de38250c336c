"""A pool to compare with: first come, first served.

SQLAlchemy's QueuePool wakes a waiter when a connection is returned, but lets whoever asks first
take it: a user who returns a connection and asks again at once overtakes everybody who waits
(sqlalchemy#7679). Here a returned connection is handed to the one who has waited longest.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from sqlalchemy import QueuePool
from sqlalchemy.util.queue import Empty, Full


class _Waiter:
    """Somebody in the queue: woken with an item, or without one to look for a free slot."""

    __slots__ = ("item", "woken")

    def __init__(self) -> None:
        self.item: Any = None
        self.woken = threading.Event()


class FairQueue:
    """A queue of connections that serves its waiters in the order in which they came."""

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        self.maxsize = maxsize
        self.use_lifo = use_lifo
        self.queue: deque[Any] = deque()
        self._waiters: deque[_Waiter] = deque()
        self._lock = threading.Lock()

    def qsize(self) -> int:
        """How many items nobody has taken."""
        return len(self.queue)

    def put(self, item: Any, block: bool = True) -> None:
        """Hand an item to the first waiter, else keep it; raises Full if there is no room."""
        with self._lock:
            if self._waiters:
                self._wake(item)
            elif 0 < self.maxsize <= len(self.queue):
                raise Full
            else:
                self.queue.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take an item or wait for one in turn; raises Empty when there is none in time."""
        with self._lock:
            if self.queue:
                return self.queue.pop() if self.use_lifo else self.queue.popleft()
            if not block:
                raise Empty
            waiter = _Waiter()
            self._waiters.append(waiter)
        try:
            waiter.woken.wait(timeout)
        except BaseException:  # killed: what it may have been handed goes on to the next
            self._leave(waiter)
            raise
        with self._lock:
            if not waiter.woken.is_set():
                self._waiters.remove(waiter)
        if waiter.item is None:
            raise Empty
        return waiter.item

    def wake_one(self) -> None:
        """Let the first waiter look again, since there is room for a new item."""
        with self._lock:
            if self._waiters:
                self._wake(None)

    def _leave(self, waiter: _Waiter) -> None:
        with self._lock:
            if not waiter.woken.is_set():
                self._waiters.remove(waiter)
            elif self._waiters:
                self._wake(waiter.item)
            elif waiter.item is not None:
                self.queue.append(waiter.item)

    def _wake(self, item: Any) -> None:
        waiter = self._waiters.popleft()
        waiter.item = item
        waiter.woken.set()


class FairPool(QueuePool):
    """A QueuePool that hands connections over in the order in which they were asked for.

    It also wakes a waiter when a failed connect has freed a slot; QueuePool lets it sleep.
    """

    _queue_class = FairQueue  # type: ignore[assignment]
    _pool: FairQueue  # type: ignore[assignment]

    def _dec_overflow(self) -> Any:
        done = super()._dec_overflow()
        self._pool.wake_one()
        return done
