"""A pool to compare with: first come, first served.

SQLAlchemy's QueuePool wakes a waiter when a connection is returned, but the first user to ask takes
it: a user that returns a connection and asks again at once overtakes all waiters (sqlalchemy#7679).
This pool hands a returned connection to the user that has waited longest.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util.queue import Empty, Full

from loadtest.pool.sqlalchemy_internals import CustomQueuePool

# Handed to a waiter instead of a connection: the right to open one.
SLOT = object()


class _Waiter:
    """A waiting checkout, woken with a connection or with a slot for one."""

    __slots__ = ("item", "woken")

    def __init__(self) -> None:
        self.item: Any = None
        self.woken = threading.Event()


class FairQueue:
    """A queue of connections that serves its waiters in order of arrival.

    give_slot_back: called when a waiter with a slot has given up.
    """

    give_slot_back: Callable[[], Any]

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        self.maxsize = maxsize
        self.use_lifo = use_lifo
        self.queue: deque[Any] = deque()
        self._waiters: deque[_Waiter] = deque()
        self._lock = threading.Lock()

    def qsize(self) -> int:
        """The number of items in the queue."""
        return len(self.queue)

    def put(self, item: Any, block: bool = True) -> None:
        """Hand an item to the first waiter, else keep it; raises Full if there is no room."""
        with self._lock:
            if self._handed_over(item):
                return
            if 0 < self.maxsize <= len(self.queue):
                raise Full
            self.queue.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take an item or wait for one in turn; raises Empty if none arrives in time."""
        with self._lock:
            if self.queue:
                return self.queue.pop() if self.use_lifo else self.queue.popleft()
            if not block:
                raise Empty
            waiter = _Waiter()
            self._waiters.append(waiter)
        try:
            waiter.woken.wait(timeout)
        except BaseException:  # killed: pass on its item, if it has one
            self._leave(waiter)
            raise
        with self._lock:
            if not waiter.woken.is_set():
                self._waiters.remove(waiter)
        if waiter.item is None:
            raise Empty
        return waiter.item

    def hand_over_slot(self) -> bool:
        """Give the first waiter the right to open a connection; False without a waiter."""
        with self._lock:
            return self._handed_over(SLOT)

    def _leave(self, waiter: _Waiter) -> None:
        with self._lock:
            if not waiter.woken.is_set():
                self._waiters.remove(waiter)
                return
            if self._handed_over(waiter.item):
                return
            if waiter.item is not SLOT:
                self.queue.append(waiter.item)
                return
        self.give_slot_back()

    def _handed_over(self, item: Any) -> bool:
        if not self._waiters:
            return False
        waiter = self._waiters.popleft()
        waiter.item = item
        waiter.woken.set()
        return True


class FairPool(CustomQueuePool, queue_class=FairQueue):
    """A QueuePool that serves its waiters in order of arrival.

    It also wakes a waiter when a failed connect has freed a slot; QueuePool does not.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.queue.give_slot_back = super().free_slot

    def take(self) -> ConnectionPoolEntry:
        """The record of a connection, in turn."""
        got: Any = super().take()
        if got is not SLOT:
            return cast(ConnectionPoolEntry, got)
        try:
            return self.new_record()
        except BaseException:
            self.free_slot()
            raise

    def free_slot(self) -> Any:
        """Hand the slot to the first waiter; without one, free it."""
        return self.queue.hand_over_slot() or super().free_slot()
