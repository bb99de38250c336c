"""A checkout in an application and the hold that follows it: its place, and its queries."""

from __future__ import annotations

from threading import get_ident
from typing import Any
from weakref import ref

from loadtest.pool.task_usage import Task

ROUTE_BITS = 16


def place_in(key: int) -> int:
    """The number of the place in a key."""
    return key >> ROUTE_BITS


def route_in(key: int) -> int:
    """The number of the route in a key."""
    return key & (1 << ROUTE_BITS) - 1


class Hold(Task):
    """A connection from the begin of its checkout to its return, as a task of its own.

    name: of the route. key: the numbers of place and route. owner: an object of the request, else
    the user. user: a weak reference. thread: where the checkout was made.
    quiet_since: the end of its last query, at first the begin of the hold. quiet: its longest
    finished time without a query. querying: the begin of the query in progress, else 0. Times are
    in nanoseconds.
    """

    quiet_since: int  # set when the checkout ends

    __slots__ = (
        *("key", "owner", "queries", "query", "querying", "quiet", "quiet_since", "thread", "user"),
    )

    def __init__(self, key: int, name: str, user: ref[Any], owner: object) -> None:
        # The slots of a task that are read; `super().__init__` would cost every checkout more.
        self.key, self.name, self.user, self.owner = key, name, user, owner
        self.thread, self.over = get_ident(), False
        self.queries = self.query = self.querying = self.quiet = 0

    def ran(self, start: int, end: int) -> None:
        """A query has ended."""
        if (quiet := start - self.quiet_since) > self.quiet:
            self.quiet = quiet
        self.queries += 1
        self.query += end - start
        self.quiet_since = end
        self.querying = 0

    def work_ended(self) -> bool:
        """Whether the request of the checkout has ended, if its end is known, and the user, too."""
        return getattr(self.owner, "ended", True) and self.user_ended()

    def user_ended(self) -> bool:
        """Whether the asyncio task, the greenlet or the thread of the checkout has ended."""
        user = self.user()
        if user is None:
            return True
        done = getattr(user, "done", None)
        return bool(done()) if done else bool(user.dead)
