"""Looks for a deadlocked pool: all connections are held, and every holder waits for another one.

A holder waits itself, or a helper of it does: a thread or greenlet that works for the holder's task
and takes a connection of its own. The holder of a helper is known from the context that the runtime
copied, for example in `asyncio.to_thread`, and from gevent, which records the spawner of a
greenlet. Plain threads have neither: there the state of the pool decides.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from traceback import walk_stack
from types import CodeType
from typing import Any, NamedTuple

from greenlet import greenlet

from loadtest.model.task_use import TaskUse
from loadtest.pool.checkout_batch import Phases
from loadtest.pool.task_usage import Task

# Helpers are a deadlock only if no connection was taken or returned for this time (ns).
QUIET = 500_000_000


class _Hold(NamedTuple):
    """A connection in use: since when, by which task, and the id of the user that took it."""

    since: int
    task: Task
    user: int


class _Wait(NamedTuple):
    """A checkout in the queue: its begin, and for a helper the ids of the users it works for."""

    since: int
    helper: bool
    works_for: frozenset[int]


class _Suspicion(NamedTuple):
    """A state that is a deadlock if it does not end without a failed checkout."""

    holds: frozenset[_Hold]
    most: dict[str, int]


class DeadlockWatch:
    """Looks at the users of one pool, once a second.

    held, pending, phases, aside, tasks, no_task: the recorder's own. limit: the most connections of
    the pool; None without a limit. helpers: by users without a task, for the time of a checkout,
    the id in their context. query_codes: the code of the functions that are on the stack during a
    query.
    """

    def __init__(
        self,
        held: dict[object, tuple[int, Task, int]],
        pending: dict[greenlet, int],
        phases: Mapping[greenlet, Phases],
        aside: Iterable[tuple[greenlet, int, Phases | None]],
        tasks: dict[greenlet, Task],
        no_task: Task,
    ) -> None:
        self._held, self._pending, self._phases, self._aside = held, pending, phases, aside
        self._tasks, self._no_task = tasks, no_task
        self.limit: int | None = None
        self.helpers: dict[greenlet, int] = {}
        self.query_codes: Collection[CodeType] = ()
        self._suspicion: _Suspicion | None = None

    def note(self, tasks: dict[str, TaskUse], now: int, *, failed: bool) -> None:
        """Add a deadlock at this moment to the use by tasks.

        failed: whether a checkout failed since the last call.
        """
        for name, most in self._deadlocked(now, failed).items():
            use = tasks.get(name, TaskUse())
            tasks[name] = replace(
                use, waiting_with=max(most, use.waiting_with), deadlocked=use.deadlocked + 1
            )

    def _deadlocked(self, now: int, failed: bool) -> dict[str, int]:
        """By the names of tasks, the most connections of one task in a deadlock; else empty."""
        if self.limit is None:
            return {}
        # In this order, because threads go on: a user that waits, and that still holds a connection
        # which it took earlier, held it when the users in the queue were read.
        pending = self._pending.copy()
        holds = self._holds()
        before, self._suspicion = self._suspicion, None
        if len(holds) < self.limit or any(hold.task.over for hold in holds):
            return before.most if before and failed else {}
        waits = self._queue(pending)
        rest = [hold for hold in holds if not _waits_itself(hold, waits)]
        if not rest:
            return self._most(holds, waits)
        if self._helpers_wait(holds, rest, waits, now):
            self._suspicion = _Suspicion(frozenset(holds), self._most(holds, waits))
        lasts = before and self._suspicion and before.holds == self._suspicion.holds
        return before.most if before and (lasts or failed) else {}

    def _queue(self, pending: Mapping[greenlet, int]) -> dict[int, _Wait]:
        """The checkouts that wait for a connection, by the ids of their users."""
        return {
            id(user): _Wait(since, user not in self._tasks, self._works_for(user))
            for user, since in pending.items()
            if user not in self._phases
        }

    def _works_for(self, user: greenlet) -> frozenset[int]:
        """The ids of the users that a helper works for."""
        return frozenset({self.helpers.get(user, 0), *map(id, _spawners(user))})

    def _holds(self) -> list[_Hold]:
        """The connections in use, including those of checkouts whose listeners use the pool."""
        aside = [
            _Hold(phases.began, self._tasks.get(user, self._no_task), id(user))
            for user, _, phases in list(self._aside)
            if phases
        ]
        return [*(_Hold(*hold) for hold in self._held.copy().values()), *aside]

    def _helpers_wait(
        self,
        holds: Sequence[_Hold],
        rest: Sequence[_Hold],
        waits: Mapping[int, _Wait],
        now: int,
    ) -> bool:
        """Whether every holder of the rest seems to wait for a helper, and does nothing else."""
        users = {hold.user for hold in holds}
        helpers = {user: one for user, one in waits.items() if one.helper}
        helped = {user for one in helpers.values() for user in one.works_for}
        unexplained = [hold for hold in rest if hold.user not in helped]
        unknown = [u for u, one in helpers.items() if u not in users and not one.works_for & users]
        return (
            len(unexplained) <= len(unknown)
            and all(now - hold.since >= QUIET for hold in holds)
            and not self._in_query({hold.user for hold in rest})
        )

    def _in_query(self, users: Collection[int]) -> bool:
        """Whether one of these users, or any thread, is in a query."""
        known = [user for user in (*list(self._tasks), *list(self.helpers)) if id(user) in users]
        stacks = [*(user.gr_frame for user in known), *sys._current_frames().values()]
        frames = (frame for top in stacks if top for frame, _ in walk_stack(top))
        return any(frame.f_code in self.query_codes for frame in frames)

    def _most(self, holds: Iterable[_Hold], waits: Mapping[int, _Wait]) -> dict[str, int]:
        """The most connections of one task, with those of its helpers, by the names of tasks."""
        names = {id(user): task.name for user, task in self._tasks.copy().items()}
        owners = Counter(_owner(hold, waits, names) for hold in holds)
        most: dict[str, int] = {}
        for (name, _), number in owners.items():
            most[name] = max(number, most.get(name, 0))
        return most


def _spawners(user: Any) -> Iterator[greenlet]:
    """The greenlet that spawned a user, the one that spawned this, and so on; gevent knows them."""
    while reference := getattr(user, "spawning_greenlet", None):
        user = reference()
        if user is not None:
            yield user


def _waits_itself(hold: _Hold, waits: Mapping[int, _Wait]) -> bool:
    wait = waits.get(hold.user)
    return wait is not None and wait.since >= hold.since


def _owner(hold: _Hold, waits: Mapping[int, _Wait], names: Mapping[int, str]) -> tuple[str, int]:
    """The name of the task that a connection belongs to, and the id of its user."""
    wait = waits.get(hold.user)
    works_for = wait.works_for if wait and wait.helper else ()
    boss = next((user for user in works_for if user in names), hold.user)
    return hold.task.name or names.get(boss, ""), boss
