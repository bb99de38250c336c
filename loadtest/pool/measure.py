"""Measures every checkout of any Engine, including an application's own.

Public pool events report connects and closes, but neither the begin of a checkout nor its timeout;
and the events `checkin` and `reset` cost more than all other measuring. Therefore a few methods are
shadowed on the instances, never on the classes:

- `pool.connect`, which makes every checkout, and the method that takes each connection back;
- the method that opens connections, to know when a connect begins, even if it fails;
- the dialects, for pre-ping, reset and queries: see `measured_dialects`;
- `pool.dispose`, to recognise the connections that it closes;
- `pool.recreate`, to follow the engine to its new pool after `dispose()`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Engine, Pool, QueuePool, event
from sqlalchemy.pool import PoolProxiedConnection

from loadtest.pool import sqlalchemy_internals as internals
from loadtest.pool.checkout_batch import NOTICEABLE, Checkout, clock
from loadtest.pool.event_listener import Listener
from loadtest.pool.measured_dialects import forget, measure_dialects
from loadtest.pool.measured_places import placed_connect, placed_return
from loadtest.pool.recorder import Recorder
from loadtest.pool.shadow import shadow, unshadow
from loadtest.pool.special_checkouts import checkout_of_listener, failed_checkout
from loadtest.pool.task_usage import user_in_context

_POOL_METHODS = (
    "connect",
    internals.RETURN_CONNECTION,
    internals.OPEN_CONNECTION,
    "dispose",
    "recreate",
)


def measure(engine: Engine, recorder: Recorder) -> None:
    """Record every checkout of this engine's pool from now on, also after `engine.dispose()`.

    Raises LoadtestError if this version of SQLAlchemy lacks a necessary attribute.
    """
    pool = engine.pool
    internals.check_attributes(pool)
    listener = Listener(recorder)
    if isinstance(pool, QueuePool):
        recorder.pool_size = pool.size() or None
        recorder.deadlocks.limit = internals.most_connections(pool)
        for record in internals.idle_records(pool):
            # Connections from before the measuring.
            recorder.opened[record] = listener.attached
    listener.released = _returning(listener)(lambda record: None)
    listener.listen(pool)
    measure_dialects(engine, recorder)
    _shadow_pool(pool, listener)


def stop_measuring(engine: Engine) -> None:
    """Stop measuring an engine and its pool; only listeners to connects and closes stay."""
    forget(engine)
    unshadow(engine.pool, _POOL_METHODS)
    internals.give_back_dialect(engine.pool, engine.dialect)


def _shadow_pool(pool: Pool, listener: Listener) -> None:
    recorder, places = listener.recorder, listener.recorder.places
    listener.recycle = internals.recycle_age(pool)
    wraps: Sequence[Callable[[Any], Any]] = (
        partial(placed_connect, recorder, places)
        if places
        else partial(_measured_connect, recorder),
        _returning(listener),
        partial(_noted_creator, pool, listener),
        partial(_noted_dispose, listener),
        partial(_followed_recreate, pool, listener),
    )
    for name, wrap in zip(_POOL_METHODS, wraps, strict=True):
        shadow(pool, name, wrap)


def _returning(listener: Listener) -> Callable[[Any], Any]:
    places = listener.recorder.places
    return (
        partial(placed_return, listener, places) if places else partial(_measured_return, listener)
    )


def _measured_connect(
    recorder: Recorder, original: Callable[[], PoolProxiedConnection]
) -> Callable[[], PoolProxiedConnection]:
    # The hot path uses local names only.
    pending, phases, tasks = recorder.pending, recorder.phases, recorder.tasks
    held, opened = recorder.held, recorder.opened
    quick, noticed, no_task = recorder.quick.extend, recorder.noticed.append, recorder.no_task
    record_of = internals.record_of
    helpers, served_user = recorder.deadlocks.helpers, user_in_context.get
    current_user = recorder.current_user

    def connect() -> PoolProxiedConnection:
        user = current_user()
        if user in pending:
            return checkout_of_listener(recorder, user, connect)
        task = tasks.get(user, no_task)
        if task.held:
            task.use.nested.append(task.held)
        if task is no_task:
            helpers[user] = served_user()
        start = pending[user] = clock()
        try:
            connection = original()
        except BaseException as error:
            failed_checkout(recorder, user, start, error, task)
            raise
        end, number = clock(), id(user)
        del pending[user]
        if helpers:
            helpers.pop(user, None)
        record = record_of(connection)
        if record in held:  # a pool that shares its connections: the earlier hold ends now
            held[record][1].held -= 1
        held[record] = (end, task, number)
        task.held += 1
        if phases or end - start >= NOTICEABLE:
            phase = phases.pop(user, None)
            if phase or end - start >= NOTICEABLE:
                known = len(pending), len(opened)
                noticed(Checkout(start, end, number, task, phase, "ok", *known))
                return connection
        quick((start, end, number))
        return connection

    return connect


def _measured_return(listener: Listener, original: Callable[[Any], None]) -> Callable[[Any], None]:
    recorder = listener.recorder
    held, opened, pending = recorder.held, recorder.opened, recorder.pending

    def return_connection(record: Any) -> None:
        taken = held.pop(record, None)
        if taken is not None:
            start, task, _ = taken
            task.held -= 1
            task.use.holds.extend((start, clock()))
            if pending and (user := recorder.current_user()) in pending:
                # A listener of a checkout returns another connection.
                with recorder.set_aside(user):
                    return original(record)
        elif record.dbapi_connection is not None:
            opened.setdefault(record, listener.attached)  # checked out before the measuring began
        original(record)

    return return_connection


def _noted_creator(
    pool: Pool, listener: Listener, original: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    recorder = listener.recorder

    def create(record: Any) -> Any:
        user = recorder.current_user()
        if user in recorder.pending:
            phases = recorder.phases_of(user, clock())
            phases.reconnects = phases.reconnects or record in listener.broken
            phases.overflow = max(0, pool.overflow()) if isinstance(pool, QueuePool) else 0
            phases.connecting = clock()
        recorder.take_room(user)
        return original(record)

    return create


def _noted_dispose(listener: Listener, original: Callable[[], None]) -> Callable[[], None]:
    def dispose() -> None:
        listener.disposing = True
        try:
            original()
        finally:
            listener.disposing = False

    return dispose


def _followed_recreate(
    pool: Pool, listener: Listener, original: Callable[[], Pool]
) -> Callable[[], Pool]:
    def recreate() -> Pool:
        fresh = original()
        _shadow_pool(fresh, listener)  # it inherits the listeners
        if isinstance(pool, QueuePool):
            _let_go(pool, listener)
        return fresh

    return recreate


def _let_go(pool: QueuePool, listener: Listener) -> None:
    """Count the idle connections of the old pool as closed.

    The garbage collector closes them without an event, so they would stay in `opened` for ever.
    """
    for record in internals.idle_records(pool):
        listener.lost(record)

    def checkin(dbapi_connection: Any, record: Any) -> None:
        if not 0 < pool.size() <= pool.checkedin():  # else the pool closes it, with an event
            listener.lost(record)

    event.listen(pool, "checkin", checkin)
