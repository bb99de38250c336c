"""A deadlocked pool: how many connections avoid it, and the sentence about it."""

from __future__ import annotations

from collections.abc import Iterable

from loadtest.model.interval import Interval


def least_connections(tasks: int, held: int) -> int:
    """The fewest connections with which tasks that wait for one more cannot block each other.

    held: the most connections of one task while it waits, one less than it needs at once. One
    connection more than all tasks hold is enough (HikariCP, "About Pool Sizing").
    """
    return tasks * held + 1


def holders_in_words(tasks: Iterable[str]) -> list[str]:
    """The names of tasks that hold connections, as parts of a sentence."""
    return [repr(name) for name in tasks if name] or ["code outside of tasks"]


def deadlock_notice(interval: Interval) -> str:
    """The sentence about a pool that was deadlocked at the end of an interval; else empty."""
    stuck = {name: use for name, use in interval.tasks.items() if use.deadlocked}
    if not stuck:
        return ""
    names = ", ".join(holders_in_words(stuck))
    users = interval.gauges["users"].last if "users" in interval.gauges else 0
    least = least_connections(users, max(use.waiting_with for use in stuck.values()))
    needed = f" With {users:,} users, {least:,} connections avoid this." if users else ""
    return (
        f"The pool is deadlocked: all connections are held by {names}, and every holder waits for "
        f"another one.{needed} See the finding nested_checkout."
    )
