"""Watches a server that the tool did not start for refused clients and missing answers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from loadtest.model.allowances import UNSEEN_SECONDS
from loadtest.model.interval import SERVER, Interval

logger = logging.getLogger("loadtest")
WINDOW_SECONDS = 10
# Workers send a second within the next one.
SETTLED_SECONDS = 2
# Limits within the window. A wrong password or a plain TCP health check stays below them.
REFUSED, ABORTED = 10, 20
# A late status, or a single failure, causes no warning.
UNTOLD_SECONDS = 3


class Status(Protocol):
    """The server's status: how often it was read, and why the last reading failed (or empty)."""

    answers: int
    problem: str


class Guard:
    """Takes the intervals of a run, including the server's, and decides when the run must end.

    Refusals by the server beyond the failed checkouts of this run affected other clients: because
    it is full (Connection_errors_max_connections), or for any reason (Aborted_connects). A checkout
    may end in the second after its refusal, so one more second of checkouts counts.
    A status that cannot be read for UNSEEN_SECONDS also ends the run, for example when a full
    server refuses the tool: the run cannot see then whether it refuses other clients.
    status: read at each interval. lacks: the counters that the server does not have.
    """

    def __init__(self, status: Status, lacks: Sequence[str] = ()) -> None:
        self._own, self._refused, self._aborted = Counter[int](), Counter[int](), Counter[int]()
        self._status, self._answers = status, -1
        self._now, self._seen, self._warned = 0, 0, False
        if {"refused_connects", "aborted_connects"} <= set(lacks):
            logger.warning(
                "This server does not count refused connections, so the run cannot stop when the "
                "server refuses other clients"
            )

    def take(self, interval: Interval) -> str:
        """The reason to end the run for the sake of other clients; empty without one."""
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
                "whether it refuses other clients"
            )
        if silent >= UNTOLD_SECONDS and not self._warned:
            self._warned = True
            logger.warning(
                "The server's status cannot be read (%s), so the run cannot see whether the server "
                "refuses other clients. The run ends if this lasts for %d s",
                *(why, UNSEEN_SECONDS),
            )
        return ""

    def _judged(self, window: range) -> str:
        own = sum(self._own[second] for second in (*window, window.stop))
        refused = sum(self._refused[second] for second in window) - own
        aborted = sum(self._aborted[second] for second in window) - own
        if refused >= REFUSED:
            return (
                f"it refused {refused} connections of other clients within {WINDOW_SECONDS} s, "
                "because it had reached max_connections"
            )
        if aborted >= ABORTED:
            return (
                f"{aborted} connection attempts of other clients failed within {WINDOW_SECONDS} s"
            )
        return ""
