"""What the calls of a trial do with connections, of the measured pool and of other engines."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from greenlet import getcurrent
from sqlalchemy import URL, Connection, Engine, event

from loadtest.database.failure_kinds import WRONG_SQL, words_of
from loadtest.experiment.error_lines import last_place
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.pool.task_usage import RequestFailed


@dataclass
class CallConnections:
    """The connections that one call took.

    blocks: its `with self.session(name)` blocks that ended. inside, outside: its checkouts from the
    measured pool during such blocks, and at other times. others: the databases of other engines
    that it used. nested: the places where it took a connection while it held another. kept: the
    connections that it still holds at its end, by the places where it took them. caught: the
    mistake in SQL with which a request ended although the application caught the error; empty
    without one. A place is a file and a line; empty if it is not in the user's own code.
    """

    blocks: int = 0
    inside: int = 0
    outside: int = 0
    others: dict[str, None] = field(default_factory=dict)
    nested: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    caught: str = ""

    def add(self, other: CallConnections) -> None:
        """Add what another call took; connections that it kept belong to that call."""
        self.blocks += other.blocks
        self.inside += other.inside
        self.outside += other.outside
        self.others |= other.others


class ConnectionWatch:
    """Watches the calls of a trial, one after the other, on an engine under test.

    most: the largest number of connections that were held at once, without those that tasks kept
    after their end.
    """

    def __init__(self, target: EngineUnderTest) -> None:
        self.most = 0
        self._target, self._recorder = target, target.recorder
        self._call = CallConnections()
        self._peak = 0
        self._left: set[int] = set()  # when the connections were taken that tasks kept
        self._places: dict[object, str] = {}  # where each was taken
        self._failed_statement = ""

    @contextmanager
    def listening(self, requests: Any) -> Iterator[None]:
        """Watch all engines of this process in this context; requests: Locust's `request` event."""
        engine = self._target.engine
        listeners = (
            (engine.pool, "checkout", self._checked_out),
            (engine, "handle_error", self._statement_failed),
            (Engine, "engine_connect", self._connected),
        )
        for listener in listeners:
            event.listen(*listener)
        requests.add_listener(self._requested)
        try:
            yield
        finally:
            requests.remove_listener(self._requested)
            event.remove(Engine, "engine_connect", self._connected)

    @contextmanager
    def call(self, *, task: bool) -> Iterator[CallConnections]:
        """One call; the yielded numbers are complete at the end.

        task: whether it is a task, which must return its connections.
        """
        call = self._call = CallConnections()
        blocks, before = len(self._recorder.thinks), self._held().keys()
        self._peak = len(self._recorder.held)
        try:
            yield call
        finally:
            held = self._held()
            kept = held.keys() - before
            call.blocks = len(self._recorder.thinks) - blocks
            call.kept = [self._places.get(held[since], "") for since in kept]
            if task:
                self._left |= kept
            left = len(self._left & held.keys())
            refused = bool(self._recorder.beyond) and not left
            self.most = max(self.most, self._peak - left + refused)

    def _held(self) -> dict[int, object]:
        """The connections that this greenlet or thread holds, by when they were taken (ns)."""
        own, held = id(getcurrent()), self._recorder.held.copy()
        return {since: record for record, (since, _, user) in held.items() if user == own}

    def _checked_out(self, _: Any, record: object, *__: Any) -> None:
        self._places[record] = _place()
        if self._held().keys() - self._left:
            self._call.nested.append(self._places[record])
        self._peak = max(self._peak, len(self._recorder.held) + 1)
        if self._recorder.tasks:
            self._call.inside += 1
        else:
            self._call.outside += 1

    def _connected(self, connection: Connection) -> None:
        if connection.engine.pool is not self._target.engine.pool:
            self._call.others[place_of(connection.engine.url)] = None

    def _statement_failed(self, context: Any) -> None:
        error = context.sqlalchemy_exception or context.original_exception
        found = (_place(), type(error).__name__, words_of(error))
        self._failed_statement = ": ".join(filter(None, found))

    def _requested(self, *, exception: BaseException | None = None, **_: Any) -> None:
        if isinstance(exception, RequestFailed) and exception.kind == WRONG_SQL:
            self._call.caught = self._failed_statement


def _place() -> str:
    """The line of the user's own code that is running."""
    return last_place((one.filename, one.lineno) for one in traceback.extract_stack())


def place_of(url: URL) -> str:
    """The address and the name of a database, without user and password."""
    if not url.host:
        return url.database or url.drivername
    # With an unescaped @ in the password, SQLAlchemy takes a part of the password for the host.
    host = url.host.rpartition("@")[2]
    port = f":{url.port}" if url.port else ""
    return f"{host}{port}/{url.database or ''}"
