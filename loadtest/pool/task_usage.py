"""The use of connections by the tasks of each name, recorded during the run."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import TypeVar

import numpy as np

from loadtest.model.distribution import Nanoseconds
from loadtest.model.steps import LetOthersRun, go_on
from loadtest.model.task_use import TaskUse

# The name for work outside of tasks.
NO_TASK = ""

T = TypeVar("T")

_ROWS_AT_ONCE = 1000
_ROLLBACK = re.compile(r"\s*(XA\s+)?ROLLBACK\b", re.IGNORECASE)


class RequestFailed(Exception):
    """Why a request failed that ended without an exception: a kind of ERROR_KINDS and a message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Use:
    """The use of connections by the tasks of one name: lists of numbers, the cheapest to append to.

    holds: start, end, start, end and so on, from the end of a checkout to the return. queries: the
    durations of statements and COMMITs. nested: for each checkout by a task that already held
    connections, their number. retries: the kinds of the failures that a later statement made up
    for.
    """

    __slots__ = ("_spans", "holds", "nested", "queries", "retries")

    def __init__(self) -> None:
        self._spans: Nanoseconds | None = None
        self.holds: list[int] = []
        self.queries: list[int] = []
        self.nested: list[int] = []
        self.retries: list[str] = []

    def taken(self) -> Use:
        """The recordings so far; the lists are emptied."""
        batch = Use()
        batch.holds, batch.queries = taken(self.holds), taken(self.queries)
        batch.nested, batch.retries = taken(self.nested), taken(self.retries)
        return batch

    def spans(self, let_others_run: LetOthersRun = go_on) -> Nanoseconds:
        """The holds' starts and ends (n x 2), which no longer are in `holds`."""
        if self._spans is None:
            self._spans = as_rows(self.holds, 2, let_others_run)
        return self._spans

    def summed_up(self, kept: int) -> TaskUse:
        """The sums for an interval; kept: connections that ended tasks still hold."""
        spans = self.spans()
        hold = int((spans[:, 1] - spans[:, 0]).sum())
        queries = len(self.queries)
        nested = len(self.nested), kept, max(self.nested, default=0)
        return TaskUse(len(spans), hold, queries, sum(self.queries), *nested)


class Task:
    """A task of one user, to which checkouts, holds and queries are attributed.

    held: the connections that it holds now. over: whether it has ended. failed_attempts: the
    checkouts and statements that failed since its last successful statement.
    """

    __slots__ = ("failed_attempts", "held", "name", "over", "use")

    def __init__(self, name: str, use: Use) -> None:
        self.name, self.use = name, use
        self.held = 0
        self.over = False
        self.failed_attempts: list[RequestFailed] = []

    def attempt_failed(self, error: BaseException) -> None:
        """A checkout or a statement failed; ignored here, for work outside of a request."""

    def loss_explained(self, error: BaseException) -> None:
        """An error has ended a connection, and the facts are attached to it; ignored here, too."""

    def recovered(self, statement: str = "COMMIT") -> None:
        """A statement succeeded after failed attempts, which are retries now.

        A ROLLBACK, also one to a savepoint, is no work that succeeded.
        """
        if not _ROLLBACK.match(statement):
            self.use.retries.extend(failure.kind for failure in self.failed_attempts)
            self.failed_attempts.clear()


# The id of a user with tasks, also in threads and coroutines that get a copy of its context.
user_in_context: ContextVar[int] = ContextVar("loadtest_user", default=0)


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


def as_rows(
    numbers: list[int],
    columns: int,
    let_others_run: LetOthersRun = go_on,
    size: int | None = None,
) -> Nanoseconds:
    """The numbers of a flat list, or the first ones up to a size, as rows; they leave the list.

    What other threads append meanwhile stays.
    """
    end = len(numbers) if size is None else size
    parts = [np.empty((0, columns), dtype=np.int64)]
    while end:  # from the end: few numbers have to move
        begin = max(0, end - columns * _ROWS_AT_ONCE)
        parts.append(np.array(numbers[begin:end], dtype=np.int64).reshape(-1, columns))
        del numbers[begin:end]
        let_others_run()
        end = begin
    return parts[-1] if len(parts) <= 2 else np.concatenate(parts[::-1])
