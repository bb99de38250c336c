"""Users whose tasks begin when arrivals are due, not after the waits of their own classes."""

from __future__ import annotations

from locust import User

import time
from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import Any

from greenlet import getcurrent

from loadtest.load.locust_internals import ends_waiting, wait_once
from loadtest.load.users.arrivals import Arrivals
from loadtest.load.users.precise_timer import PreciseTimer
from loadtest.pool.checkout_batch import clock


def follow_arrivals(user: User, take: Callable[[], int], alarm: PreciseTimer | None) -> None:
    """Let a user begin its tasks when arrivals are due, the first one after its `on_start`.

    take: takes the next arrival and returns its due time (clock, ns). alarm: wakes the user then;
    without one, the user's own sleep does.
    """
    begin = user.on_start

    def on_start() -> None:
        begin()
        wait_once(user)

    def wait_time() -> float:
        due = take()
        if alarm and due > clock():
            alarm.sleep_until(due)
        return max(0, due - clock()) / 1e9

    # Override those of the scenario's class.
    vars(user).update(on_start=on_start, wait_time=wait_time)


class ArrivingUsers:
    """Users without a session, such as HTTP users, that follow the arrivals of one run."""

    def __init__(self, arrivals: Arrivals, alarm: PreciseTimer | None) -> None:
        self._arrivals, self._alarm = arrivals, alarm
        self._due: dict[object, int] = {}  # by the user's greenlet, until its first request ends

    def add(self, user: User) -> None:
        """Let a new user follow the arrivals, and end at once if it is stopped while it waits."""
        follow_arrivals(user, self._take, self._alarm)
        stop = user.stop

        def stop_at_once(force: bool = False) -> bool:
            called_off = partial(self._due.pop, user.greenlet, None)  # `on_stop` was not due
            return (not force and ends_waiting(user, called_off)) or bool(stop(force))

        vars(user)["stop"] = stop_at_once

    def _take(self) -> int:
        due = self._due[getcurrent()] = self._arrivals.take()
        return due

    def late(self, begun: int) -> int | None:
        """The schedule lag (ns) of the present user's request; None if no arrival was due for it.

        Called once at the end of each request. begun: its begin (clock, ns).
        """
        due = self._due.pop(getcurrent(), None)
        return None if due is None else max(0, begun - due)

    def due(self, greenlet: object) -> int | None:
        """When the arrival was due (clock, ns) whose first request has not ended; None without."""
        return self._due.get(greenlet)


def begin_of(elapsed: int, start_time: float | None) -> int:
    """When a request began (clock, ns) that ends now.

    elapsed: its response time (ns). start_time: its begin (wall clock, s), if it is known, because
    the block that checks a response ends later than the response.
    """
    since = round((time.time() - start_time) * 1e9) if start_time else 0
    return clock() - max(since, elapsed)


def notice_new_users(classes: Iterable[type[User]], noticed: Callable[[User], object]) -> None:
    """From now on, call a function with each new user of these classes."""
    for cls in classes:
        cls.__init__ = _noticing(cls, cls.__init__, noticed)  # type: ignore[method-assign]


def _noticing(
    cls: type[User], make: Callable[..., None], noticed: Callable[[User], object]
) -> Callable[..., None]:
    @wraps(make)
    def __init__(self: User, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        if type(self) is cls:  # not from a subclass, which may go on
            noticed(self)

    return __init__
