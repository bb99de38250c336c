"""The shares of users in the pool: checkouts and longest wait of every user."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np

from loadtest.model.distribution import Nanoseconds
from loadtest.model.interval import Fair


class Fairness:
    """Counts checkouts and keeps the longest wait (ns) of each user of one process.

    A user is a greenlet or thread; one that never got a connection is not counted.
    """

    def __init__(self) -> None:
        self._checkouts: Counter[int] = Counter()
        self._longest: defaultdict[int, int] = defaultdict(int)

    def add(self, users: Nanoseconds, waits: Nanoseconds, served: Nanoseconds) -> None:
        """Take finished waits: their users, their times, and whether (1 or 0) they were served."""
        names, index = np.unique(users, return_inverse=True)
        checkouts = np.bincount(index, weights=served, minlength=len(names)).astype(np.int64)
        longest = np.zeros(len(names), dtype=np.int64)
        np.maximum.at(longest, index, waits)
        columns = (names.tolist(), checkouts.tolist(), longest.tolist())
        for user, count, wait in zip(*columns, strict=True):
            self._checkouts[user] += count
            self._longest[user] = max(self._longest[user], wait)

    def totals(self, users: int, going_on: Iterable[tuple[int, int]]) -> Fair:
        """The sums so far, for a number of users and the waits (user, ns) in progress."""
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
