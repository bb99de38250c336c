"""Measures the checkouts and queries of an application, with their places in its code.

A load test does without this: its users have tasks, and `measure` and `measured_dialects` keep its
hot path short.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from sqlalchemy.pool import PoolProxiedConnection

from loadtest.pool import sqlalchemy_internals as internals
from loadtest.pool.checkout_batch import NOTICEABLE, Checkout, clock
from loadtest.pool.event_listener import Listener
from loadtest.pool.hold import ROUTE_BITS, Hold
from loadtest.pool.place_recorder import LONG_WAIT, PlaceRecorder
from loadtest.pool.recorder import Recorder
from loadtest.pool.special_checkouts import checkout_of_listener, failed_checkout


def placed_connect(
    recorder: Recorder, places: PlaceRecorder, original: Callable[[], PoolProxiedConnection]
) -> Callable[[], PoolProxiedConnection]:
    """As a load test's `connect`, but each checkout is a task of its own."""
    # The hot path uses local names only.
    pending, phases, opened = recorder.pending, recorder.phases, recorder.opened
    held: dict[Any, Any] = recorder.held
    quick, noticed = recorder.quick.extend, recorder.noticed.append
    record_of, current_user = internals.record_of, recorder.current_user
    nested, holding = places.nested.append, places.holding
    route_now, place_number = places.route, places.code.number
    route_number, no_route = places.routes.number, places.no_route

    def connect() -> PoolProxiedConnection:
        user = current_user()
        if user in pending:
            return checkout_of_listener(recorder, user, connect)
        request, name = route_now()
        weak = ref(user)
        owner = weak if request is None else request
        route = route_number(name) if name else no_route
        key = place_number(1) << ROUTE_BITS | route
        if owner in holding:
            nested(key)
        hold = Hold(key, name, weak, owner)
        start = pending[user] = clock()
        try:
            connection = original()
        except BaseException as error:
            if checkout := failed_checkout(recorder, user, start, error, hold):
                places.waited(checkout)
            raise
        end, number = clock(), id(user)
        del pending[user]
        record = record_of(connection)
        if record in held:  # a pool that shares its connections: the earlier hold ends now
            places.dropped(held[record][1])
        hold.quiet_since = end
        holding[owner] = holding.get(owner, 0) + 1
        held[record] = (end, hold, number)
        if phases or end - start >= NOTICEABLE:
            phase = phases.pop(user, None)
            if phase or end - start >= NOTICEABLE:
                known = len(pending), len(opened)
                checkout = Checkout(start, end, number, hold, phase, "ok", *known)
                noticed(checkout)
                if end - start >= LONG_WAIT:
                    places.waited(checkout)
                return connection
        quick((start, end, number, hold.key))
        return connection

    return connect


def placed_return(
    listener: Listener, places: PlaceRecorder, original: Callable[[Any], None]
) -> Callable[[Any], None]:
    """As a load test's return of a connection, but the hold has a place."""
    recorder = listener.recorder
    held: dict[Any, Any] = recorder.held
    opened, pending = recorder.opened, recorder.pending
    dropped, ended = places.dropped, places.ended.extend

    def return_connection(record: Any) -> None:
        taken = held.pop(record, None)
        if taken is not None:
            start, hold, _ = taken
            dropped(hold)
            now = clock()
            if (quiet := now - hold.quiet_since) < hold.quiet:
                quiet = hold.quiet
            ended((start, now, hold.key, hold.queries, hold.query, quiet))
            places.latest = taken, now
            if pending and (user := recorder.current_user()) in pending:
                # A listener of a checkout returns another connection.
                with recorder.set_aside(user):
                    return original(record)
        elif record.dbapi_connection is not None:
            opened.setdefault(record, listener.attached)  # checked out before the measuring began
        original(record)

    return return_connection


def placed_execute(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    """A query belongs to the hold of its connection: any thread may run it."""
    held: dict[Any, Any] = recorder.held
    record_of = internals.record_of_execution

    def execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> Any:
        try:
            hold = held[record_of(context)][1]
        except (AttributeError, KeyError):  # a connection that no checkout gave out
            return original(cursor, statement, parameters, context)
        start = hold.querying = clock()
        try:
            return original(cursor, statement, parameters, context)
        finally:
            hold.ran(start, clock())

    return execute


def placed_query(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    """As `placed_execute`, for statements with other arguments and for COMMIT."""
    held: dict[Any, Any] = recorder.held

    def query(*arguments: Any) -> Any:
        found = held.get(internals.record_of_query(arguments))
        if found is None:
            return original(*arguments)
        hold: Hold = found[1]
        start = hold.querying = clock()
        try:
            return original(*arguments)
        finally:
            hold.ran(start, clock())

    return query
