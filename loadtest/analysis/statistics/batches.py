"""Whole seconds of a run: a shorter part at an end of a period joins its neighbour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtest.model.distribution import Distribution
from loadtest.model.interval import SECOND, Interval


@dataclass(frozen=True, slots=True)
class BatchOfRequests:
    """A whole second: its length (ns), requests that succeeded, and the p95 of its waits (s)."""

    length: int
    successes: int
    wait_p95: float | None


def whole_seconds(parts: Iterable[Interval]) -> list[Interval]:
    """The whole seconds of some intervals."""
    seconds: list[Interval] = []
    for part in parts:
        if seconds and _joins(seconds[-1], part):
            seconds[-1] = seconds[-1].then(part)
        else:
            seconds.append(part)
    return seconds


def successes(one: Interval) -> int:
    """Requests that succeeded in it."""
    return one.counters["requests"] - one.counters["failures"]


def batch(one: Interval) -> BatchOfRequests:
    """What is kept of a whole second."""
    waits = one.histograms.get("wait", Distribution())
    return BatchOfRequests(one.length, successes(one), waits.percentile_seconds(95))


def joined(
    one: Sequence[BatchOfRequests], later: Sequence[BatchOfRequests]
) -> Sequence[BatchOfRequests]:
    """The whole seconds of two parts of a run; a cut second keeps the p95 of its longer part."""
    if not one or not later or not _joins(one[-1], later[0]):
        return [*one, *later]
    before, after = one[-1], later[0]
    p95 = max(before, after, key=lambda bit: bit.length).wait_p95
    whole = BatchOfRequests(before.length + after.length, before.successes + after.successes, p95)
    return [*one[:-1], whole, *later[1:]]


class Batches:
    """Collects whole seconds from intervals, of which it keeps only the last."""

    def __init__(self) -> None:
        self._ended: list[BatchOfRequests] = []
        self._last: Interval | None = None

    def add(self, part: Interval) -> None:
        """Take the next interval."""
        if self._last and _joins(self._last, part):
            self._last = self._last.then(part)
            return
        if self._last:
            self._ended.append(batch(self._last))
        self._last = part

    @property
    def all(self) -> list[BatchOfRequests]:
        """The whole seconds so far."""
        return [*self._ended, *([batch(self._last)] if self._last else [])]


def _joins(second: Interval | BatchOfRequests, part: Interval | BatchOfRequests) -> bool:
    return min(part.length, second.length) < SECOND / 2
