"""Watches a server that others use, too: whether it turns them away while this tool runs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from loadtest.model.allowances import UNSEEN_SECONDS
from loadtest.model.interval import SERVER, Interval

logger = logging.getLogger("loadtest")
WINDOW_SECONDS = 10
# Workers tell their seconds within the next one.
SETTLED_SECONDS = 2
# In so many seconds: a mistyped password, or a health check that only knocks, is no trouble.
REFUSED, ABORTED = 10, 20
# A status that is late, or fails once, is no reason to warn.
UNTOLD_SECONDS = 3


class Status(Protocol):
    """The server's status: how often it was read, and why the last reading failed (or empty)."""

    answers: int
    problem: str


class Guard:
    """Takes the intervals of a run, the server's own among them, and says when it is enough.

    What the server refused beyond the failed checkouts of this run, it refused to others: because
    it is full (Connection_errors_max_connections), or for any reason (Aborted_connects). A checkout
    may end in the second after the one in which it was refused, so one more second of them counts.
    A status that cannot be read for UNSEEN_SECONDS, for example since a full server refuses the
    tool itself, is trouble, too: the run cannot see then whether others are refused.
    status: is asked at each interval. lacks: the counters that the server does not have.
    """

    def __init__(self, status: Status, lacks: Sequence[str] = ()) -> None:
        self._own, self._refused, self._aborted = Counter[int](), Counter[int](), Counter[int]()
        self._status, self._answers = status, -1
        self._now, self._seen, self._warned = 0, 0, False
        if {"refused_connects", "aborted_connects"} <= set(lacks):
            logger.warning(
                "This server does not count refused connections: the run cannot stop when it "
                "refuses those of others"
            )

    def take(self, interval: Interval) -> str:
        """What happens to others, in a sentence, if it is too much; else empty."""
        second, counters = interval.second, interval.counters
        if interval.process != SERVER:
            self._own[second] += counters["checkout_errors"]
            return self._unseen(second)
        # A slow answer covers several seconds: all counts belong to the last one.
        second += max(0, round(interval.length / 1e9) - 1)
        self._own[second] += sum(self._own.pop(each, 0) for each in range(interval.second, second))
        self._refused[second] += counters["refused_connects"]
        self._aborted[second] += counters["aborted_connects"]
        last = second - SETTLED_SECONDS
        return self._judged(range(last - WINDOW_SECONDS + 1, last + 1))

    def _unseen(self, second: int) -> str:
        self._now = max(self._now, second)
        if self._status.answers != self._answers:
            self._answers, self._seen, self._warned = self._status.answers, self._now, False
        silent, why = self._now - self._seen, self._status.problem.strip("()") or "no answer"
        if silent >= UNSEEN_SECONDS:
            return (
                f"its status could not be read for {silent} s ({why}), so the run cannot see "
                "whether it refuses connections of others"
            )
        if silent >= UNTOLD_SECONDS and not self._warned:
            self._warned = True
            logger.warning(
                "The server's status cannot be read (%s), so the run cannot see whether it refuses "
                "connections of others. The run ends if this lasts for %d s",
                *(why, UNSEEN_SECONDS),
            )
        return ""

    def _judged(self, window: range) -> str:
        own = sum(self._own[second] for second in (*window, window.stop))
        refused = sum(self._refused[second] for second in window) - own
        aborted = sum(self._aborted[second] for second in window) - own
        if refused >= REFUSED:
            return (
                f"it refused {refused} connections of others within {WINDOW_SECONDS} s, since its "
                "max_connections were reached"
            )
        if aborted >= ABORTED:
            return f"{aborted} attempts of others to connect failed within {WINDOW_SECONDS} s"
        return ""
