"""Users whose tasks begin when arrivals are due, not after the waits of their own classes."""

from __future__ import annotations

from locust import User

from collections.abc import Callable

from loadtest.load.locust_internals import wait_once
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
