"""Records the pool's events: connections opened, closed, lost and detached."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from sqlalchemy import Pool, event

from loadtest.pool import sqlalchemy_internals as internals
from loadtest.pool.checkout_batch import clock
from loadtest.pool.lost_connection import LostConnection, attach
from loadtest.pool.recorder import Recorder


class Listener:
    """Listens to the events of one engine's pools and passes them to a recorder.

    attached: the start of listening; older connections count from here. disposing: whether a pool
    is being disposed of. recycle: the age (s) at which the pool replaces connections. pings:
    whether it pings at the checkout. broken: records whose connection was closed by an error; they
    reconnect on their next use. released: ends a record's hold.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.attached = clock()
        # Weak, because a broken connection in the overflow leaves its pool without an event.
        self.invalid: WeakSet[object] = WeakSet()
        self.broken: WeakSet[object] = WeakSet()
        self.recycle = -1
        self.pings = False
        self.context: object = None
        self.disposing = False
        self.released: Callable[[Any], None]

    def listen(self, pool: Pool) -> None:
        """Listen to a pool and to its successors, which inherit the listeners."""
        self.pings = internals.pings(pool)
        for name in ("connect", "close", "close_detached", "detach", "invalidate"):
            event.listen(pool, name, getattr(self, f"_on_{name}"))

    def lost(self, record: object) -> None:
        """Count a connection as closed that can never leave its pool again."""
        if record in self.recorder.opened:
            self._closed(record, "disposed")

    def _on_connect(self, dbapi_connection: Any, record: Any) -> None:
        now = clock()
        self.broken.discard(record)
        user = self.recorder.current_user()
        with self.recorder.connections:
            self.recorder.connecting.discard(user)
            self.recorder.opened[record] = now
        self.recorder.openings.append(now)
        context = getattr(dbapi_connection, "ctx", None)  # PyMySQL's name for its TLS context
        if context is not self.context:
            self.context = context
            self.recorder.contexts.append(now)
        phases = self.recorder.phases.get(user)
        if phases:
            phases.connected(now)

    def _on_close(self, dbapi_connection: Any, record: Any) -> None:
        reason = self._reason(record)
        self._closed(record, reason)
        self.invalid.discard(record)

    def _on_close_detached(self, dbapi_connection: Any) -> None:
        self._closed(dbapi_connection, "detached")

    def _closed(self, key: object, reason: str) -> None:
        with self.recorder.connections:
            opened = self.recorder.opened.pop(key, self.attached)
            self.recorder.closes.append((opened, clock(), reason))

    def _reason(self, record: Any) -> str:
        user = self.recorder.current_user()
        # A listener of a checkout may also break its own connection.
        if user in self.recorder.pending and record not in self.recorder.held:
            self.recorder.phases_of(user, clock()).reconnects = True
            old = -1 < self.recycle < time.time() - record.last_connect_time
            return "recycle" if old else "invalidated"
        if record in self.invalid:
            self.broken.add(record)  # it stays in the pool and reconnects on its next use
            return "error"
        return "disposed" if self.disposing else "overflow"

    def _on_invalidate(self, dbapi_connection: Any, record: Any, exception: Any) -> None:
        self.invalid.add(record)
        held = self.recorder.held.get(record)
        if exception is not None and held and self.recorder.own_users:
            # The statement that failed is the last one of its task.
            taken, failed = held[0], sum(held[1].use.queries[-1:])
            opened = self.recorder.opened.get(record, self.attached)
            times = (taken - opened) / 1e9, (clock() - taken - failed) / 1e9
            lost = LostConnection(*times, self.pings, self.recorder.wait_timeout)
            for error in attach(exception, lost):
                held[1].loss_explained(error)

    def _on_detach(self, dbapi_connection: Any, record: Any) -> None:
        self.released(record)
        with self.recorder.connections:
            opened = self.recorder.opened.pop(record, self.attached)
            self.recorder.opened[dbapi_connection] = opened
