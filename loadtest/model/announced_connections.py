"""The sentence about a run that needed more connections than it had announced."""

from __future__ import annotations

from loadtest.model.deadlock import holders_in_words
from loadtest.model.interval import Interval

# The counter of refused connections above the ceiling of a process.
BEYOND_ANNOUNCED_KIND = "beyond_announced"


def beyond_announced(interval: Interval, most: int, processes: int) -> str:
    """What a process tried, and which use of connections explains it, if one is known.

    interval: the second in which it happened. most: the announced number for each process.
    """
    several = processes > 1
    head = (
        f"{interval.process if several else 'the users'} tried to open more than the {most:,} "
        f"connections announced{' for each process' if several else ''}"
    )
    kept = {name: use.kept for name, use in interval.tasks.items() if use.kept}
    if kept:
        names, number = ", ".join(holders_in_words(kept)), sum(kept.values())
        return f"{head}: {number:,} of them were still held after the task had ended ({names})"
    nested = [name for name, use in interval.tasks.items() if use.nested]
    if nested:
        names = ", ".join(holders_in_words(nested))
        return f"{head}: tasks took a further connection while they held one ({names})"
    return head
