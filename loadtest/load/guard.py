"""Watches a server that others use, too: whether it turns them away while this tool runs."""

from __future__ import annotations

from collections import Counter

from loadtest.interval import SERVER, Interval

WINDOW_SECONDS = 10
# Workers tell their seconds within the next one.
SETTLED_SECONDS = 2
# In so many seconds: a mistyped password, or a health check that only knocks, is no trouble.
REFUSED, ABORTED = 10, 20


class Guard:
    """Takes the intervals of a run, the server's own among them, and says when it is enough.

    What the server refused beyond the failed checkouts of this run, it refused to others: because
    it is full (Connection_errors_max_connections), or for any reason (Aborted_connects). A checkout
    may end in the second after the one in which it was refused, so one more second of them counts.
    """

    def __init__(self) -> None:
        self._own, self._refused, self._aborted = Counter[int](), Counter[int](), Counter[int]()

    def take(self, interval: Interval) -> str:
        """What happens to others, in a sentence, if it is too much; else empty."""
        second, counters = interval.second, interval.counters
        if interval.process != SERVER:
            self._own[second] += counters["checkout_errors"]
            return ""
        self._refused[second] += counters["refused_connects"]
        self._aborted[second] += counters["aborted_connects"]
        last = second - SETTLED_SECONDS
        return self._judged(range(last - WINDOW_SECONDS + 1, last + 1))

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
