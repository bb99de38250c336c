"""The numbers of a run in progress, for the table of runs."""

from __future__ import annotations

from collections import Counter

from loadtest.model.distribution import Distribution
from loadtest.model.interval import SECOND, Interval

_COUNTED = ("requests", "failures")


class RunSoFar:
    """The measurements of all processes of a run so far, without the warm-up."""

    def __init__(self) -> None:
        self._counters: Counter[str] = Counter()
        self._lengths: Counter[str] = Counter()
        self._wait = Distribution()

    def add(self, interval: Interval) -> None:
        """Take an interval of any process."""
        if interval.period != "measured":
            return
        self._counters.update({name: interval.counters[name] for name in _COUNTED})
        self._lengths[interval.process] += interval.length
        if wait := interval.histograms.get("wait"):
            self._wait.add(wait)

    def numbers(self) -> dict[str, float | None]:
        """The numbers by name, as those of an ended run; None where nothing was measured.

        wait_p95: of the waits that have ended.
        """
        requests, failures = (self._counters[name] for name in _COUNTED)
        seconds = max(self._lengths.values(), default=0) / SECOND
        return {
            "seconds": seconds,
            "per_second": (requests - failures) / seconds if seconds else None,
            "wait_p95": self._wait.percentile_seconds(95),
            "errors": failures / requests if requests else None,
        }
