"""Who got connections and who did not: checkouts and longest wait of every user."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from loadtest.interval import Fair


class Fairness:
    """Counts checkouts and keeps the longest wait (ns) of each user of one process.

    Users are told apart by greenlet or thread; one who never got a connection is not among them.
    """

    def __init__(self) -> None:
        self._checkouts: Counter[int] = Counter()
        self._longest: defaultdict[int, int] = defaultdict(int)

    def add(self, waits: Iterable[tuple[int, int, bool]]) -> None:
        """Take finished waits: user, nanoseconds, and whether a connection came of it."""
        for user, wait, served in waits:
            self._checkouts[user] += served
            self._longest[user] = max(self._longest[user], wait)

    def totals(self, users: int, going_on: Iterable[tuple[int, int]]) -> Fair:
        """The sums so far, for a number of users and the waits (user, ns) still going on."""
        for user, age in going_on:
            self._longest[user] = max(self._longest[user], age)
        served = [count for count in self._checkouts.values() if count]
        return Fair(
            users=max(users, len(served)),
            served=len(served),
            checkouts=sum(served),
            squares=sum(count * count for count in served),
            longest_wait=max(self._longest.values(), default=0),
        )
