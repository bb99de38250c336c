"""Measures every checkout of any Engine, also one that somebody else created.

Public pool events tell of connects, closes and returns, but not of a checkout's beginning nor of
its timeout. So a few methods are shadowed on the instances, never on the classes:

- `pool.connect`, the one door of every checkout;
- `pool._invoke_creator`, to know when a connect begins, also one that fails;
- `dialect.do_ping`, the pre-ping;
- `pool.dispose`, to tell the connections that it closes from others;
- `pool.recreate`, to follow the engine to the pool it has after `dispose()`.

The private names used, here and nowhere else: `_invoke_creator`, `_connection_record`, `_recycle`,
`_pool.queue`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from threading import get_ident
from typing import Any

from sqlalchemy import Engine, Pool, QueuePool, event
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection

from loadtest.pool.batch import Checkout, Hold, Outcome, Phases, clock
from loadtest.pool.recorder import Recorder


def measure(engine: Engine, recorder: Recorder) -> None:
    """Record every checkout of this engine's pool from now on, also after `engine.dispose()`."""
    pool = engine.pool
    listener = _Listener(recorder)
    if isinstance(pool, QueuePool):
        recorder.pool_size = pool.size() or None
        for record in list(pool._pool.queue):  # type: ignore[attr-defined]
            # Connections that are older than the measuring.
            recorder.opened[record] = listener.attached
    for name in ("connect", "close", "close_detached", "reset", "checkin", "detach", "invalidate"):
        event.listen(pool, name, getattr(listener, name))
    _shadow_pool(pool, listener)
    _shadow_ping(engine, recorder)


class _Listener:
    """The pool's events: each a few clock readings and dictionary entries."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.attached = clock()
        self.resetting: dict[object, int] = {}
        self.invalid: set[object] = set()
        self.broken: set[object] = set()
        self.recycle = -1
        self.disposing = False

    def connect(self, dbapi_connection: Any, record: Any) -> None:
        now = clock()
        self.broken.discard(record)
        self.recorder.opened[record] = now
        self.recorder.openings.append(now)
        phases = self.recorder.phases.get(get_ident())
        if phases:
            phases.connected(now)

    def close(self, dbapi_connection: Any, record: Any) -> None:
        reason = self._reason(record)
        self._closed(record, reason)
        self.invalid.discard(record)

    def close_detached(self, dbapi_connection: Any) -> None:
        self._closed(dbapi_connection, "detached")

    def _closed(self, key: object, reason: str) -> None:
        opened = self.recorder.opened.pop(key, self.attached)
        self.recorder.closes.append((opened, clock(), reason))

    def lost(self, record: Any) -> None:
        if record in self.recorder.opened:
            self._closed(record, "disposed")

    def _reason(self, record: Any) -> str:
        ident = get_ident()
        if ident in self.recorder.pending:
            _phases(self.recorder, ident).reconnects = True
            old = -1 < self.recycle < time.time() - record.last_connect_time
            return "recycle" if old else "invalidated"
        if record in self.invalid:
            self.broken.add(record)  # it stays in the pool and connects again when it is needed
            return "error"
        return "disposed" if self.disposing else "overflow"

    def invalidate(self, dbapi_connection: Any, record: Any, exception: Any) -> None:
        self.invalid.add(record)

    def reset(self, dbapi_connection: Any, record: Any, state: Any) -> None:
        self.resetting[record] = clock()

    def checkin(self, dbapi_connection: Any, record: Any) -> None:
        resetting = self.resetting.pop(record, 0)
        start = self.recorder.held.pop(record, None)
        if start is not None:
            now = clock()
            self.recorder.holds.append(Hold(start, now, now - resetting if resetting else 0))
        elif dbapi_connection is not None:
            self.recorder.opened.setdefault(record, self.attached)

    def detach(self, dbapi_connection: Any, record: Any) -> None:
        self.checkin(None, record)
        opened = self.recorder.opened.pop(record, self.attached)
        self.recorder.opened[dbapi_connection] = opened


def _shadow_pool(pool: Pool, listener: _Listener) -> None:
    recorder = listener.recorder
    listener.recycle = pool._recycle
    _shadow(pool, "connect", partial(_measured_connect, recorder))
    _shadow(pool, "_invoke_creator", partial(_noted_creator, pool, listener))
    _shadow(pool, "dispose", partial(_noted_dispose, listener))
    _shadow(pool, "recreate", partial(_followed_recreate, pool, listener))


def _shadow(instance: object, name: str, wrap: Callable[[Any], Any]) -> None:
    setattr(instance, name, wrap(getattr(instance, name)))


def _measured_connect(
    recorder: Recorder, original: Callable[[], PoolProxiedConnection]
) -> Callable[[], PoolProxiedConnection]:
    # The hot path: everything that it needs is a local name.
    pending, phases, tasks = recorder.pending, recorder.phases, recorder.tasks
    held, opened, finished = recorder.held, recorder.opened, recorder.checkouts.append

    def connect() -> PoolProxiedConnection:
        ident = get_ident()
        start = pending[ident] = clock()
        try:
            connection = original()
        except BaseException as error:
            _failed(recorder, ident, start, error)
            raise
        end = clock()
        del pending[ident]
        phase = phases.pop(ident, None) if phases else None
        finished(
            Checkout(start, end, ident, tasks.get(ident), phase, "ok", len(pending), len(opened))
        )
        held[connection._connection_record] = end
        return connection

    return connect


def _failed(recorder: Recorder, ident: int, start: int, error: BaseException) -> None:
    end = clock()
    del recorder.pending[ident]
    phases = recorder.phases.pop(ident, None)
    if not isinstance(error, Exception):
        return  # killed in the middle: neither a wait that ended nor one that timed out
    if phases:
        phases.connected(end)
    outcome: Outcome = "timeout" if isinstance(error, PoolTimeout) else "error"
    task, waiting, is_open = recorder.tasks.get(ident), len(recorder.pending), len(recorder.opened)
    recorder.checkouts.append(Checkout(start, end, ident, task, phases, outcome, waiting, is_open))


def _noted_creator(
    pool: Pool, listener: _Listener, original: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    recorder = listener.recorder

    def create(record: Any) -> Any:
        ident = get_ident()
        if ident in recorder.pending:
            phases = _phases(recorder, ident)
            phases.reconnects = phases.reconnects or record in listener.broken
            phases.overflow = max(0, pool.overflow()) if isinstance(pool, QueuePool) else 0
            phases.connecting = clock()
        return original(record)

    return create


def _noted_dispose(listener: _Listener, original: Callable[[], None]) -> Callable[[], None]:
    def dispose() -> None:
        listener.disposing = True
        try:
            original()
        finally:
            listener.disposing = False

    return dispose


def _followed_recreate(
    pool: Pool, listener: _Listener, original: Callable[[], Pool]
) -> Callable[[], Pool]:
    def recreate() -> Pool:
        fresh = original()
        _shadow_pool(fresh, listener)  # the listeners come along by themselves
        if isinstance(pool, QueuePool):
            _let_go(pool, listener)
        return fresh

    return recreate


def _let_go(pool: QueuePool, listener: _Listener) -> None:
    """Count connections as closed that nobody takes out of the old pool's queue any more.

    The garbage collector closes them, without an event; kept in `opened` they would stay for ever.
    """
    for record in list(pool._pool.queue):  # type: ignore[attr-defined]
        listener.lost(record)

    def checkin(dbapi_connection: Any, record: Any) -> None:
        if not 0 < pool.size() <= pool.checkedin():  # else the pool closes it, with an event
            listener.lost(record)

    event.listen(pool, "checkin", checkin)


def _shadow_ping(engine: Engine, recorder: Recorder) -> None:
    original = engine.dialect.do_ping

    def do_ping(dbapi_connection: Any) -> bool:
        ident = get_ident()
        start = clock()
        try:
            return original(dbapi_connection)
        finally:
            if ident in recorder.pending:
                _phases(recorder, ident, start).ping += clock() - start

    engine.dialect.do_ping = do_ping  # type: ignore[method-assign]


def _phases(recorder: Recorder, ident: int, began: int = 0) -> Phases:
    phases = recorder.phases.get(ident)
    if phases is None:
        phases = recorder.phases[ident] = Phases(began or clock())
    return phases
