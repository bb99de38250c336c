"""What the tasks of each name did with their connections, noted while they do it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np

from loadtest.model.distribution import Nanoseconds
from loadtest.model.interval import TaskUse

# What is done outside of any task.
NO_TASK = ""

T = TypeVar("T")


class Use:
    """What the tasks of one name did: numbers in lists, which cost the least to add to.

    holds: start, end, start, end and so on, from the end of a checkout to the return. queries: how
    long statements and COMMITs took. nested: a one for each checkout by a task that
    held a connection already.
    """

    __slots__ = ("holds", "nested", "queries")

    def __init__(self) -> None:
        self.holds: list[int] = []
        self.queries: list[int] = []
        self.nested: list[int] = []

    def taken(self) -> Use:
        """What was noted so far; noting begins anew."""
        batch = Use()
        batch.holds, batch.queries = taken(self.holds), taken(self.queries)
        batch.nested = taken(self.nested)
        return batch

    @property
    def spans(self) -> Nanoseconds:
        """The holds' starts and ends (n x 2)."""
        return numbers_as_rows(self.holds, 2)

    def summed_up(self, kept: int) -> TaskUse:
        """The sums that an interval has; kept: connections that ended tasks still hold."""
        spans = self.spans
        hold = int((spans[:, 1] - spans[:, 0]).sum())
        queries = len(self.queries)
        return TaskUse(len(spans), hold, queries, sum(self.queries), len(self.nested), kept)


class Task:
    """A piece of work of one user, to which checkouts, holds and queries are put down.

    held: connections that it has now. over: whether it has ended.
    """

    __slots__ = ("held", "name", "over", "use")

    def __init__(self, name: str, use: Use) -> None:
        self.name, self.use = name, use
        self.held = 0
        self.over = False


class Uses(defaultdict[str, Use]):
    """What all tasks did, by name."""

    def __init__(self) -> None:
        super().__init__(Use)

    def __missing__(self, name: str) -> Use:
        # Of two threads that ask at once, one must get what the other has made.
        return self.setdefault(name, Use())

    def taken(self) -> dict[str, Use]:
        """What was noted since the last call."""
        return {name: use.taken() for name, use in dict(self).items()}


def summed_up(uses: Mapping[str, Use], holders: Iterable[Task]) -> dict[str, TaskUse]:
    """The sums by the names of tasks; holders: the tasks that hold connections now."""
    kept = Counter(task.name for task in holders if task.over)
    sums = {name: use.summed_up(kept[name]) for name, use in uses.items() if name != NO_TASK}
    return {name: use for name, use in sums.items() if use != TaskUse()}


def taken(items: list[T]) -> list[T]:
    """All of a list, which is emptied; what other threads append meanwhile stays in it."""
    batch = items[:]
    del items[: len(batch)]
    return batch


def numbers_as_rows(numbers: list[int], columns: int) -> Nanoseconds:
    """A flat list as rows of so many columns."""
    return np.array(numbers, dtype=np.int64).reshape(-1, columns)
