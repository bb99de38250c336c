"""Whole seconds of a run: where a period began or ended within one, its bit joins its neighbour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtest.model.distribution import Distribution
from loadtest.model.interval import SECOND, Interval


@dataclass(frozen=True, slots=True)
class Batch:
    """A whole second: its length (ns), requests that succeeded, and the p95 of its waits (s)."""

    length: int
    successes: int
    wait_p95: float | None


def batches(parts: Iterable[Interval]) -> list[Interval]:
    """The whole seconds of some intervals."""
    seconds: list[Interval] = []
    for part in parts:
        if seconds and _joins(seconds[-1], part):
            seconds[-1] = seconds[-1].then(part)
        else:
            seconds.append(part)
    return seconds


def successes(one: Interval) -> int:
    """Requests that ended well in it."""
    return one.counters["requests"] - one.counters["failures"]


def batch(one: Interval) -> Batch:
    """What is kept of a whole second."""
    waits = one.histograms.get("wait", Distribution())
    return Batch(one.length, successes(one), waits.percentile_seconds(95))


def joined(one: Sequence[Batch], later: Sequence[Batch]) -> Sequence[Batch]:
    """The whole seconds of two parts of a run; of a second that is cut, the longer bit's p95."""
    if not one or not later or not _joins(one[-1], later[0]):
        return [*one, *later]
    before, after = one[-1], later[0]
    p95 = max(before, after, key=lambda bit: bit.length).wait_p95
    whole = Batch(before.length + after.length, before.successes + after.successes, p95)
    return [*one[:-1], whole, *later[1:]]


class Batches:
    """The whole seconds of intervals that come one by one, of which only the last is kept whole."""

    def __init__(self) -> None:
        self._ended: list[Batch] = []
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
    def all(self) -> list[Batch]:
        """The whole seconds so far."""
        return [*self._ended, *([batch(self._last)] if self._last else [])]


def _joins(second: Interval | Batch, part: Interval | Batch) -> bool:
    return min(part.length, second.length) < SECOND / 2
