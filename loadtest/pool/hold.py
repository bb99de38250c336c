"""A checkout in an application and the hold that follows it: its place, and its queries."""

from __future__ import annotations

from threading import get_ident
from typing import Any
from weakref import ref

from loadtest.pool.task_usage import Task, Use

ROUTE_BITS = 16


def key_of(place: int, route: int) -> int:
    """The numbers of a place and a route as one."""
    return place << ROUTE_BITS | route


def place_in(key: int) -> int:
    """The number of the place in a key."""
    return key >> ROUTE_BITS


def route_in(key: int) -> int:
    """The number of the route in a key."""
    return key & (1 << ROUTE_BITS) - 1


class Hold(Task):
    """A connection from the begin of its checkout to its return, as a task of its own.

    name: of the route. key: the numbers of place and route, see `key_of`. owner: an object of the
    request, else the id of the user. user: a weak reference. thread: where the checkout was made.
    quiet_since: the end of its last query, at first the begin of the hold. quiet: its longest
    finished time without a query. querying: the begin of the query in progress, else 0. Times are
    in nanoseconds.
    """

    __slots__ = (
        *("key", "owner", "queries", "query", "querying", "quiet", "quiet_since", "thread", "user"),
    )

    def __init__(self, key: int, name: str, use: Use, user: Any, owner: object) -> None:
        # All slots of a task; `super().__init__` would cost every checkout more.
        self.name, self.use, self.held, self.over = name, use, 0, False
        self.key, self.owner = key, owner
        self.user, self.thread = ref(user), get_ident()
        self.queries = self.query = self.querying = self.quiet = self.quiet_since = 0

    def ran(self, start: int, end: int) -> None:
        """A query has ended."""
        self.quiet = max(self.quiet, start - self.quiet_since)
        self.queries += 1
        self.query += end - start
        self.quiet_since = end
        self.querying = 0

    def needed(self, since: int, end: int) -> int:
        """The time of a hold that ends, without its longest time without a query."""
        return end - since - max(self.quiet, end - self.quiet_since)

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
