"""What the tasks of each name did with their connections, summed up while they do it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields

from loadtest.interval import TaskUse


@dataclass(slots=True)
class Use:
    """Running sums of the tasks of one name; see TaskUse for what they mean."""

    holds: int = 0
    hold: int = 0
    queries: int = 0
    query: int = 0
    nested: int = 0

    def taken(self, kept: int) -> TaskUse:
        """The sums so far; they begin anew."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in values:
            setattr(self, name, 0)
        return TaskUse(**values, kept=kept)


class Task:
    """A piece of work of one user, to which checkouts, holds and queries are put down.

    held: connections that it has now. over: whether it has ended. Sums are exact for greenlets;
    real threads that share a name may lose an addition.
    """

    __slots__ = ("held", "name", "over", "use")

    def __init__(self, name: str, use: Use) -> None:
        self.name, self.use = name, use
        self.held = 0
        self.over = False


class Uses(defaultdict[str, Use]):
    """The sums of all tasks, by name."""

    def __init__(self) -> None:
        super().__init__(Use)

    def taken(self, holders: Iterable[Task | None]) -> dict[str, TaskUse]:
        """What was done since the last call, by name; holders: the tasks that hold connections."""
        kept = Counter(task.name for task in holders if task and task.over)
        sums = {name: use.taken(kept[name]) for name, use in self.items()}
        return {name: use for name, use in sums.items() if use != TaskUse()}
