"""Watches a server that others use, too: whether it turns them away while this tool runs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from loadtest.allowances import UNSEEN_SECONDS
from loadtest.interval import SERVER, Interval

logger = logging.getLogger("loadtest")
WINDOW_SECONDS = 10
# Workers tell their seconds within the next one.
SETTLED_SECONDS = 2
# In so many seconds: a mistyped password, or a health check that only knocks, is no trouble.
REFUSED, ABORTED = 10, 20
# An answer that is late, or one that is lost, is no trouble yet.
UNTOLD_SECONDS = 3


class Status(Protocol):
    """Who asks the server how it is: how often it answered, and why it did not the last time."""

    answers: int
    problem: str


class Guard:
    """Takes the intervals of a run, the server's own among them, and says when it is enough.

    What the server refused beyond the failed checkouts of this run, it refused to others: because
    it is full (Connection_errors_max_connections), or for any reason (Aborted_connects). A checkout
    may end in the second after the one in which it was refused, so one more second of them counts.
    A server that does not answer for UNSEEN_SECONDS, since it is full itself for example, is
    trouble, too: nobody sees then what happens to others.
    lacks: the counters that the server does not have.
    """

    def __init__(self, status: Status, lacks: Sequence[str] = ()) -> None:
        self._own, self._refused, self._aborted = Counter[int](), Counter[int](), Counter[int]()
        self._status, self._answers = status, -1
        self._now, self._seen, self._warned = 0, 0, False
        if {"refused_connects", "aborted_connects"} <= set(lacks):
            logger.warning(
                "This server does not count the connections that it refuses: the run cannot stop "
                "for others"
            )

    def take(self, interval: Interval) -> str:
        """What happens to others, in a sentence, if it is too much; else empty."""
        second, counters = interval.second, interval.counters
        if interval.process != SERVER:
            self._own[second] += counters["checkout_errors"]
            return self._unseen(second)
        # A slow answer is of several seconds: all is put down to the last.
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
                f"its status could not be read for {silent} s ({why}), and without it the run does "
                "not see whether connections of others are refused"
            )
        if silent >= UNTOLD_SECONDS and not self._warned:
            self._warned = True
            logger.warning(
                "The server's status cannot be read (%s), so the run does not see whether "
                "connections of others are refused: it ends if that lasts for %d s",
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
