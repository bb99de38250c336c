"""The use of connections by the tasks of each name, recorded during the run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import TypeVar

import numpy as np

from loadtest.model.distribution import Nanoseconds
from loadtest.model.interval import TaskUse

# The name for work outside of tasks.
NO_TASK = ""

T = TypeVar("T")


class Use:
    """The use of connections by the tasks of one name: lists of numbers, the cheapest to append to.

    holds: start, end, start, end and so on, from the end of a checkout to the return. queries: the
    durations of statements and COMMITs. nested: for each checkout by a task that already held
    connections, their number.
    """

    __slots__ = ("holds", "nested", "queries")

    def __init__(self) -> None:
        self.holds: list[int] = []
        self.queries: list[int] = []
        self.nested: list[int] = []

    def taken(self) -> Use:
        """The recordings so far; the lists are emptied."""
        batch = Use()
        batch.holds, batch.queries = taken(self.holds), taken(self.queries)
        batch.nested = taken(self.nested)
        return batch

    @property
    def spans(self) -> Nanoseconds:
        """The holds' starts and ends (n x 2)."""
        return numbers_as_rows(self.holds, 2)

    def summed_up(self, kept: int) -> TaskUse:
        """The sums for an interval; kept: connections that ended tasks still hold."""
        spans = self.spans
        hold = int((spans[:, 1] - spans[:, 0]).sum())
        queries = len(self.queries)
        nested = len(self.nested), kept, max(self.nested, default=0)
        return TaskUse(len(spans), hold, queries, sum(self.queries), *nested)


class Task:
    """A task of one user, to which checkouts, holds and queries are attributed.

    held: the connections that it holds now. over: whether it has ended.
    """

    __slots__ = ("held", "name", "over", "use")

    def __init__(self, name: str, use: Use) -> None:
        self.name, self.use = name, use
        self.held = 0
        self.over = False


# The last task of a user, also in the threads and coroutines that got a copy of its context.
task_in_context: ContextVar[Task | None] = ContextVar("loadtest_task", default=None)


class Uses(defaultdict[str, Use]):
    """The use of connections by all tasks, by name."""

    def __init__(self) -> None:
        super().__init__(Use)

    def __missing__(self, name: str) -> Use:
        # Two threads that ask at once must get the same object.
        return self.setdefault(name, Use())

    def taken(self) -> dict[str, Use]:
        """The recordings since the last call."""
        return {name: use.taken() for name, use in dict(self).items()}


def summed_up(uses: Mapping[str, Use], holders: Iterable[Task]) -> dict[str, TaskUse]:
    """The sums by the names of tasks; holders: the tasks that hold connections now."""
    kept = Counter(task.name for task in holders if task.over)
    sums = {name: use.summed_up(kept[name]) for name, use in uses.items() if name != NO_TASK}
    return {name: use for name, use in sums.items() if use != TaskUse()}


def taken(items: list[T]) -> list[T]:
    """Empty a list and return its items; items that other threads append meanwhile stay."""
    batch = items[:]
    del items[: len(batch)]
    return batch


def numbers_as_rows(numbers: list[int], columns: int) -> Nanoseconds:
    """A flat list as rows with a number of columns."""
    return np.array(numbers, dtype=np.int64).reshape(-1, columns)
