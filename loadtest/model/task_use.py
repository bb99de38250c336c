"""The use of connections by tasks."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class TaskUse:
    """The use of connections by the tasks of one name: counts, and sums in nanoseconds.

    query: time in statements and COMMITs. nested: checkouts by a user that already held a
    connection. kept: connections that ended tasks still held at the end. waiting_with: the most
    connections that one task held while it, or a helper of it, waited for another. deadlocked: the
    seconds at whose end its tasks held connections of a deadlocked pool.
    """

    holds: int = 0
    hold: int = 0
    queries: int = 0
    query: int = 0
    nested: int = 0
    kept: int = 0
    waiting_with: int = 0
    deadlocked: int = 0

    def then(self, later: TaskUse) -> TaskUse:
        """The use in this period and the next."""
        return replace(self.beside(later), kept=later.kept)

    def beside(self, other: TaskUse) -> TaskUse:
        """The use in two processes together."""
        return TaskUse(
            self.holds + other.holds,
            self.hold + other.hold,
            self.queries + other.queries,
            self.query + other.query,
            self.nested + other.nested,
            self.kept + other.kept,
            max(self.waiting_with, other.waiting_with),
            self.deadlocked + other.deadlocked,
        )
