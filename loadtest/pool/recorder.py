"""Turns raw clock readings of checkouts and holds into an Interval, once a second.

The hot path only appends tuples to lists; sorting, binning and adding up happen in `cut`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from heapq import nlargest
from typing import TypeVar

from loadtest.distribution import Distribution
from loadtest.interval import SLOWEST_KEPT, Fair, Gauge, Interval, Period, SlowCheckout
from loadtest.pool.batch import (
    Batch,
    Checkout,
    Hold,
    Phases,
    clock,
    histograms,
    slow,
    source_of,
)
from loadtest.pool.fairness import Fairness
from loadtest.pool.levels import gauge, minus, steps

# A checkout from an idle pool takes some ten microseconds of Python; less than this is no queueing.
NOTICEABLE_WAIT = 100_000

T = TypeVar("T")


class Recorder:
    """Collects what one process does with its pool and gives it out as Intervals.

    `pending`, `phases` and `tasks` are keyed by greenlet or thread identifier; `held` and `opened`
    by connection record. pool_size: connections above it are overflow; None where there is no such.
    """

    def __init__(self, process: str = "", pool_size: int | None = None) -> None:
        self.process = process
        self.pool_size = pool_size
        self.pending: dict[int, int] = {}
        self.phases: dict[int, Phases] = {}
        self.tasks: dict[int, str] = {}
        self.held: dict[object, int] = {}
        self.opened: dict[object, int] = {}
        self.openings: list[int] = []
        self.checkouts: list[Checkout] = []
        self.holds: list[Hold] = []
        self.closes: list[tuple[int, int, str]] = []
        self.requests: list[tuple[int, str | None]] = []
        self.lags: list[int] = []
        self.thinks: list[int] = []
        self.levels: dict[str, Callable[[], int]] = {}
        self._fairness = Fairness()
        self._seen: set[str] = set()
        self._examples: dict[str, str] = {}
        self.cpu: Callable[[], int] = time.process_time_ns
        self._cpu_before = self.cpu()
        self._cut_at = clock()
        self._epoch = time.time_ns() - clock()

    def restart(self) -> None:
        """Forget what was recorded so far and begin the first interval now."""
        self.cut("warmup")
        self._seen.clear()

    def second(self, moment: int) -> int:
        """The UTC second of a clock reading, by a wall clock read once: its steps do no harm."""
        return (moment + self._epoch) // 1_000_000_000

    def request(self, nanoseconds: int, failure: str | None) -> None:
        """Record a task that ended: how long it took and the kind of its failure, if it failed."""
        self.requests.append((nanoseconds, failure))

    def example(self, kind: str, words: str) -> None:
        """Keep the first error of a kind, in the words of the server or driver."""
        if kind not in self._seen:
            self._seen.add(kind)
            self._examples[kind] = words

    def cut(self, period: Period) -> Interval:
        """Everything since the last cut as an interval, which ends now."""
        batch = self._batch()
        interval = Interval(self.second(batch.begin), self.process, period, batch.now - batch.begin)
        interval.counters = self._counters(batch)
        interval.histograms = histograms(batch)
        interval.gauges = self._gauges(batch)
        going_on = self._waits_going_on(batch.now)
        interval.unfinished = Distribution.of([e - s for _, s, e in going_on if e == batch.now])
        interval.slowest = self._slowest(batch.checkouts)
        interval.examples, self._examples = self._examples, {}
        if period == "measured":
            interval.fair = self._fair(batch)
        return interval

    def _fair(self, batch: Batch) -> Fair:
        self._fairness.add(
            (checkout.user, wait, checkout.outcome == "ok")
            for checkout, wait in zip(batch.checkouts, batch.waits, strict=True)
        )
        users = self.levels["users"]() if "users" in self.levels else 0
        ages = [(user, end - start) for user, start, end in self._waits_going_on(batch.now)]
        return self._fairness.totals(users, ages)

    def _batch(self) -> Batch:
        begin, self._cut_at = self._cut_at, clock()
        return Batch(
            begin,
            self._cut_at,
            len(_taken(self.openings)),
            _taken(self.checkouts),
            _taken(self.holds),
            _taken(self.closes),
            _taken(self.requests),
            _taken(self.lags),
            _taken(self.thinks),
        )

    def _counters(self, batch: Batch) -> Counter[str]:
        counters = Counter(source_of(checkout) for checkout in batch.checkouts)
        counters["checkouts"] = sum(checkout.outcome == "ok" for checkout in batch.checkouts)
        counters["opened"] = batch.openings
        counters.update(f"closed.{reason}" for _, _, reason in batch.closes)
        counters["requests"] = len(batch.requests)
        failures = [failure for _, failure in batch.requests if failure]
        counters["failures"] = len(failures)
        counters.update(f"errors.{kind}" for kind in failures)
        cpu = self.cpu()
        counters["cpu"], self._cpu_before = cpu - self._cpu_before, cpu
        return counters

    def _gauges(self, batch: Batch) -> dict[str, Gauge]:
        span = begin, now = batch.begin, batch.now
        waited = [
            (checkout.start, checkout.start + wait)
            for checkout, wait in zip(batch.checkouts, batch.waits, strict=True)
        ] + [(start, end) for _, start, end in self._waits_going_on(now)]
        waited = [(start, end) for start, end in waited if end - start >= NOTICEABLE_WAIT]
        in_use = steps([(h.start, h.end) for h in batch.holds] + _going_on(self.held, now), span)
        closed = [(opened, closed) for opened, closed, _ in batch.closes]
        is_open = steps(closed + _going_on(self.opened, now), span)
        size = self.pool_size
        gauges = {
            "in_use": gauge(in_use, span),
            "open": gauge(is_open, span),
            "idle": gauge(minus(is_open, in_use), span),
            "overflow": gauge(is_open, span, above=size) if size is not None else Gauge(),
            "waiting": gauge(steps(waited, span), span),
        }
        for name, read in self.levels.items():
            level = read()
            gauges[name] = Gauge(level * (now - begin), level, level, level)
        return gauges

    def _slowest(self, checkouts: Sequence[Checkout]) -> list[SlowCheckout]:
        worst = nlargest(SLOWEST_KEPT, checkouts, key=lambda c: c.end - c.start)
        return [slow(checkout, self.pool_size) for checkout in worst]

    def _waits_going_on(self, now: int) -> list[tuple[int, int, int]]:
        """Who is checking out, since when, and when the wait ended: now, unless they connect."""
        return [
            (user, start, phases.began if (phases := self.phases.get(user)) else now)
            for user, start in list(self.pending.items())
        ]


def _taken(items: list[T]) -> list[T]:
    # Appends of other threads may come in between; what they add stays for the next cut.
    batch = items[:]
    del items[: len(batch)]
    return batch


def _going_on(since: dict[object, int], now: int) -> list[tuple[int, int]]:
    return [(start, now) for start in list(since.values())]
