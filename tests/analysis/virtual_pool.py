"""SQLAlchemy's own QueuePool in virtual time: its code, our clock and our conditions."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from greenlet import getcurrent, greenlet
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool
from sqlalchemy.util import queue as sqlalchemy_queue

from loadtest.model.pool import PoolConfig


class World:
    """A clock, and greenlets that sleep by it; those of the same moment in the order they came."""

    def __init__(self) -> None:
        self.now, self._number, self._events = 0.0, 0, list[Any]()
        self._main = getcurrent()

    def at(self, moment: float, act: Callable[[], Any]) -> None:
        """Do something at a moment."""
        self._number += 1
        heapq.heappush(self._events, (moment, self._number, act))

    def spawn(self, moment: float, body: Callable[[], None]) -> None:
        """Let a greenlet of its own do something, from a moment on."""
        self.at(moment, greenlet(body, self._main).switch)

    def sleep(self, seconds: float) -> None:
        """Let the current greenlet sleep."""
        self.at(self.now + seconds, getcurrent().switch)
        self.wait()

    def wait(self) -> Any:
        """Let the current greenlet wait until another one switches to it."""
        return self._main.switch()

    def run(self, going_on: Callable[[], bool]) -> None:
        """Run what is due, one after another, while `going_on` is true."""
        while self._events and going_on():
            self.now, _, act = heapq.heappop(self._events)
            act()


class Condition:
    """What `threading.Condition` does, first come first served; who is notified runs later."""

    def __init__(self, world: World, handover: float) -> None:
        self._world, self._handover = world, handover
        self._waiters: deque[greenlet] = deque()

    def __enter__(self) -> None:
        """There is only one thread: nothing to lock."""

    def __exit__(self, *_: object) -> None:
        """Nor to unlock."""

    def wait(self, timeout: float) -> None:
        """Wait until a notification, at most for a timeout."""
        me, asleep = getcurrent(), [True]
        self._waiters.append(me)

        def give_up() -> None:
            if asleep and me in self._waiters:
                self._waiters.remove(me)
                me.switch()

        self._world.at(self._world.now + timeout, give_up)
        self._world.wait()
        asleep.clear()

    def notify(self) -> None:
        """Wake the first one."""
        if self._waiters:
            self._world.at(self._world.now + self._handover, self._waiters.popleft().switch)


class FakeConnection:
    """A DBAPI connection to nowhere."""

    def rollback(self) -> None:
        """What the pool does when one comes back."""

    def close(self) -> None:
        """What it does with those that are too many."""


class VirtualPool:
    """A real QueuePool with these settings in a world; opened: how many connections it opened."""

    def __init__(
        self,
        world: World,
        settings: PoolConfig,
        connect: Callable[[], float],
        handover: float,
        patch: pytest.MonkeyPatch,
    ) -> None:
        patch.setattr(sqlalchemy_queue, "_time", lambda: world.now)
        self._world, self._connect, self.opened = world, connect, 0
        self._began_to_connect: dict[greenlet, float] = {}
        arguments = settings.arguments()
        self.pool = QueuePool(
            self._open,
            pool_size=arguments["pool_size"],
            max_overflow=arguments["max_overflow"],
            timeout=arguments["pool_timeout"],
            use_lifo=arguments["pool_use_lifo"],
        )
        conditions = {"not_empty": Condition(world, handover), "not_full": Condition(world, 0)}
        vars(self.pool._pool).update(conditions)

    def _open(self) -> Any:
        self.opened += 1
        self._began_to_connect[getcurrent()] = self._world.now
        self._world.sleep(self._connect())
        return FakeConnection()

    def checkout(self, hold: Callable[[], float]) -> tuple[float, Any]:
        """Ask, hold and give back: how long the wait was, and which connection; None: timeout."""
        began = self._world.now
        try:
            connection = self.pool.connect()
        except PoolTimeout:
            return self._world.now - began, None
        waited = self._began_to_connect.pop(getcurrent(), self._world.now) - began
        used = connection.dbapi_connection
        self._world.sleep(hold())
        connection.close()
        return waited, used
