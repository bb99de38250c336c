"""A measured engine on SQLite, and a clock that moves only when it is told to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from types import TracebackType
from typing import Any

import gevent
import pytest
from gevent import Greenlet
from sqlalchemy import Engine, QueuePool, create_engine

from loadtest.model.interval import Interval
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder

MILLISECOND = 1_000_000


class Clock:
    """Nanoseconds, as `perf_counter_ns` gives them."""

    def __init__(self) -> None:
        self.now = 10**15

    def __call__(self) -> int:
        return self.now

    def forward(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds * MILLISECOND


class Connection(sqlite3.Connection):
    """A connection that leaves `lives`, the set of all open connections, when it is closed."""

    lives: set[Connection]

    def close(self) -> None:
        self.lives.discard(self)
        super().close()


class Bench:
    """An engine whose pool is measured by a clock that stands still.

    The end of `with` restores the clock and closes all connections, also those that `dispose()`
    left open.

    connecting, resetting, pinging, querying: how long each takes (ms). refuse: an error that
    connecting raises. interruption: what a statement raises. alive: what a ping answers. hang:
    "connecting" or "pinging", which then never ends.
    """

    def __init__(
        self,
        *,
        poolclass: Any = QueuePool,
        recorder: Callable[[], Recorder] = lambda: Recorder("p1"),
        **pool: Any,
    ) -> None:
        self.clock = Clock()
        self.connecting, self.resetting, self.pinging, self.querying = 1, 0, 0, 0
        self.refuse: Exception | None = None
        self.interruption: BaseException | None = None
        self.alive = True
        self.hang = ""
        self.lives: set[Connection] = set()
        self._patches = pytest.MonkeyPatch()
        for module in (
            *("measure", "measured_dialects", "measured_places", "special_checkouts"),
            *("event_listener", "recorder"),
        ):
            self._patches.setattr(f"loadtest.pool.{module}.clock", self.clock)
        self.engine = create_engine("sqlite://", creator=self._create, poolclass=poolclass, **pool)
        self.engine.dialect.do_rollback = self._reset  # type: ignore[method-assign]
        self.engine.dialect.do_ping = self._ping  # type: ignore[method-assign]
        self.engine.dialect.do_execute = self._execute  # type: ignore[method-assign]
        # What the first connection of an engine asks of the database is not looked at here.
        self.engine.connect().close()
        self.engine.dispose()
        self.recorder = recorder()
        measure(self.engine, self.recorder)

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.engine.dispose()
        for connection in list(self.lives):
            connection.close()
        self._patches.undo()

    def take(self) -> Any:
        """Check a connection out."""
        return self.engine.raw_connection()

    def begin_to_take(self) -> Greenlet:
        """A user who checks a connection out and waits where it must."""
        return waiting(self.take)

    def forward(self, milliseconds: int) -> None:
        """Let time pass."""
        self.clock.forward(milliseconds)

    def cut(self) -> Interval:
        """What was measured since the last cut."""
        return self.recorder.cut("measured")

    def _create(self) -> Connection:
        self._take_time("connecting")
        if self.refuse:
            raise self.refuse
        connection = sqlite3.connect(":memory:", check_same_thread=False, factory=Connection)
        connection.lives = self.lives
        self.lives.add(connection)
        return connection

    def _reset(self, dbapi_connection: Any) -> None:
        self.forward(self.resetting)
        dbapi_connection.rollback()

    def _execute(self, cursor: Any, statement: str, parameters: Any, context: Any) -> None:
        self.forward(self.querying)
        if self.interruption:
            raise self.interruption
        cursor.execute(statement, parameters)

    def _ping(self, dbapi_connection: Any) -> bool:
        self._take_time("pinging")
        return self.alive

    def _take_time(self, action: str) -> None:
        self.forward(getattr(self, action))
        if self.hang == action:
            gevent.sleep(3600)


def waiting(work: Callable[[], Any]) -> Greenlet:
    """A user who works as far as it comes without waiting for another."""
    user = gevent.spawn(work)
    others_go_on()
    return user


def others_go_on() -> None:
    """Let all users go on as far as they come."""
    for _ in range(5):
        gevent.sleep(0)


def use_once(engine: Engine) -> None:
    """Check a connection out and give it back."""
    engine.raw_connection().close()


def milliseconds(interval: Interval, name: str) -> float:
    """The sum of what a histogram of an interval measured."""
    return interval.histograms[name].sum / MILLISECOND if name in interval.histograms else 0


def counted(interval: Interval) -> dict[str, int]:
    """The counters of an interval that are not zero, without those of the real clocks."""
    real = {"cpu", "clock_step"}
    return {name: n for name, n in sorted(interval.counters.items()) if n and name not in real}
