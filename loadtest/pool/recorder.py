"""Turns raw clock readings of checkouts and holds into an Interval, once a second.

The hot path only appends tuples to lists; sorting, binning and adding up happen in `cut`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from loadtest.interval import (
    SLOWEST_KEPT,
    Distribution,
    Gauge,
    Interval,
    Nanoseconds,
    Period,
    SlowCheckout,
)

# A checkout from an idle pool takes some ten microseconds of Python; less than this is no queueing.
NOTICEABLE_WAIT = 100_000

T = TypeVar("T")
Outcome = Literal["ok", "timeout", "error"]
clock = time.perf_counter_ns


@dataclass(slots=True)
class Phases:
    """What else than waiting happened in a checkout (ns); only those that connect or ping have one.

    began: when the waiting was over. connecting: when a connect under way began, else 0.
    """

    began: int
    connecting: int = 0
    connect: int = 0
    ping: int = 0
    reconnects: bool = False
    overflow: int = 0

    def connected(self, now: int) -> None:
        """End the connect that is under way, if one is."""
        if self.connecting:
            self.connect += now - self.connecting
            self.connecting = 0


class Checkout(NamedTuple):
    """One finished checkout; `start` and `end` in clock nanoseconds.

    waiting, open: other checkouts under way and connections open at its end.
    """

    start: int
    end: int
    user: int
    task: str | None
    phases: Phases | None
    outcome: Outcome
    waiting: int
    open: int


class Hold(NamedTuple):
    """One finished hold of a connection, from the end of its checkout to its return."""

    start: int
    end: int
    reset: int


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
        self.checkouts: list[Checkout] = []
        self.holds: list[Hold] = []
        self.closes: list[tuple[int, int, str]] = []
        self.requests: list[tuple[int, str | None]] = []
        self.lags: list[int] = []
        self.levels: dict[str, Callable[[], int]] = {}
        self.cpu: Callable[[], int] = time.process_time_ns
        self._cpu_before = self.cpu()
        self._cut_at = clock()
        self._epoch = time.time_ns() - clock()

    def restart(self) -> None:
        """Forget what was recorded so far and begin the first interval now."""
        self.cut("warmup")

    def second(self, moment: int) -> int:
        """The UTC second of a clock reading; the wall clock is read once, so its steps do no harm."""
        return (moment + self._epoch) // 1_000_000_000

    def until_next_second(self) -> float:
        """Seconds until the next UTC second begins."""
        return 1 - (clock() + self._epoch) % 1_000_000_000 / 1e9

    def request(self, nanoseconds: int, failure: str | None) -> None:
        """Record a task that ended: how long it took and the kind of its failure, if it failed."""
        self.requests.append((nanoseconds, failure))

    def cut(self, period: Period) -> Interval:
        """Everything since the last cut as an interval, which ends now."""
        begin, now = self._cut_at, clock()
        self._cut_at = now
        checkouts, holds = _taken(self.checkouts), _taken(self.holds)
        closes, requests = _taken(self.closes), _taken(self.requests)
        waits = [wait_of(checkout) for checkout in checkouts]
        interval = Interval(self.second(begin), self.process, period, now - begin)
        interval.counters = self._counters(begin, now, checkouts, closes, requests)
        interval.histograms = _histograms(checkouts, waits, holds, requests, _taken(self.lags))
        interval.gauges = self._gauges(begin, now, checkouts, waits, holds, closes)
        interval.unfinished = Distribution.of([now - start for start in self._waiting_since()])
        interval.slowest = self._slowest(checkouts)
        return interval

    def _counters(
        self,
        begin: int,
        now: int,
        checkouts: Sequence[Checkout],
        closes: Sequence[tuple[int, int, str]],
        requests: Sequence[tuple[int, str | None]],
    ) -> Counter[str]:
        counters = Counter(_source(checkout) for checkout in checkouts)
        counters["checkouts"] = sum(checkout.outcome == "ok" for checkout in checkouts)
        counters["opened"] = sum(begin < at <= now for at in self.opened.values())
        counters["opened"] += sum(begin < opened for opened, _, _ in closes)
        counters.update(f"closed.{reason}" for _, _, reason in closes)
        counters["requests"] = len(requests)
        failures = [failure for _, failure in requests if failure]
        counters["failures"] = len(failures)
        counters.update(f"errors.{kind}" for kind in failures)
        cpu = self.cpu()
        counters["cpu"], self._cpu_before = cpu - self._cpu_before, cpu
        return counters

    def _gauges(
        self,
        begin: int,
        now: int,
        checkouts: Sequence[Checkout],
        waits: Sequence[int],
        holds: Sequence[Hold],
        closes: Sequence[tuple[int, int, str]],
    ) -> dict[str, Gauge]:
        span = begin, now
        waited = [
            (checkout.start, checkout.start + wait)
            for checkout, wait in zip(checkouts, waits, strict=True)
            if wait >= NOTICEABLE_WAIT
        ]
        waited += [(start, now) for start in self._waiting_since() if now - start > NOTICEABLE_WAIT]
        in_use = _steps([(h.start, h.end) for h in holds] + _going_on(self.held, now), span)
        is_open = _steps(
            [(opened, closed) for opened, closed, _ in closes] + _going_on(self.opened, now), span
        )
        size = self.pool_size
        gauges = {
            "in_use": _gauge(in_use, span),
            "open": _gauge(is_open, span),
            "idle": _gauge(_minus(is_open, in_use), span),
            "overflow": _gauge(is_open, span, above=size) if size is not None else Gauge(),
            "waiting": _gauge(_steps(waited, span), span),
        }
        for name, read in self.levels.items():
            level = read()
            gauges[name] = Gauge(level * (now - begin), level, level, level)
        return gauges

    def _slowest(self, checkouts: Sequence[Checkout]) -> list[SlowCheckout]:
        worst = nlargest(SLOWEST_KEPT, checkouts, key=lambda c: c.end - c.start)
        return [_slow(checkout, self.pool_size) for checkout in worst]

    def _waiting_since(self) -> list[int]:
        return [s for user, s in list(self.pending.items()) if user not in self.phases]


def wait_of(checkout: Checkout) -> int:
    """The nanoseconds of a checkout that were neither connecting nor pinging."""
    elapsed = checkout.end - checkout.start
    phases = checkout.phases
    return max(0, elapsed - phases.connect - phases.ping) if phases else elapsed


def _source(checkout: Checkout) -> str:
    if checkout.outcome != "ok":
        return "timeouts" if checkout.outcome == "timeout" else "checkout_errors"
    phases = checkout.phases
    if not phases or not phases.connect:
        return "checkouts.pooled"
    if phases.reconnects:
        return "checkouts.reconnect"
    return "checkouts.overflow" if phases.overflow else "checkouts.new"


def _histograms(
    checkouts: Sequence[Checkout],
    waits: Sequence[int],
    holds: Sequence[Hold],
    requests: Sequence[tuple[int, str | None]],
    lags: Sequence[int],
) -> dict[str, Distribution]:
    connects = [c.phases for c in checkouts if c.phases and c.phases.connect]
    samples: dict[str, Sequence[int]] = {
        "checkout": [c.end - c.start for c in checkouts if c.outcome != "error"],
        "wait": waits,
        "connect": [p.connect for p in connects if not p.reconnects],
        "reconnect": [p.connect for p in connects if p.reconnects],
        "ping": [c.phases.ping for c in checkouts if c.phases and c.phases.ping],
        "hold": [hold.end - hold.start for hold in holds],
        "reset": [hold.reset for hold in holds if hold.reset],
        "request": [duration for duration, failure in requests if not failure],
        "failed_request": [duration for duration, failure in requests if failure],
        "generator_lag": lags,
    }
    return {name: Distribution.of(values) for name, values in samples.items() if values}


def _slow(checkout: Checkout, pool_size: int | None) -> SlowCheckout:
    phases = checkout.phases or Phases(0)
    return SlowCheckout(
        total=checkout.end - checkout.start,
        wait=wait_of(checkout),
        connect=phases.connect,
        ping=phases.ping,
        task=checkout.task,
        overflow=max(0, checkout.open - pool_size) if pool_size else 0,
        waiting=checkout.waiting,
    )


def _taken(items: list[T]) -> list[T]:
    # Appends of other threads may come in between; what they add stays for the next cut.
    batch = items[:]
    del items[: len(batch)]
    return batch


Steps = tuple[Nanoseconds, Nanoseconds]


def _going_on(since: dict[object, int], now: int) -> list[tuple[int, int]]:
    return [(start, now) for start in list(since.values())]


def _steps(spans: Iterable[tuple[int, int]], within: tuple[int, int]) -> Steps:
    """Times and deltas of the number of spans that are going on, clipped to a stretch of time."""
    edges = np.array(list(spans), dtype=np.int64).reshape(-1, 2).clip(*within)
    deltas = np.repeat(np.array([1, -1], dtype=np.int64), len(edges))
    return edges.T.reshape(-1), deltas


def _minus(one: Steps, other: Steps) -> Steps:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], -other[1]])


def _gauge(steps: Steps, within: tuple[int, int], above: int = 0) -> Gauge:
    """The gauge of a level that changes in steps; only what exceeds `above` counts, never below 0."""
    times, deltas = steps
    order = np.argsort(times, kind="stable")
    edges = np.concatenate([[within[0]], times[order], [within[1]]])
    levels = np.concatenate([[0], np.cumsum(deltas[order])])
    levels = np.maximum(levels - above, 0)
    lengths = np.diff(edges)
    lasting = levels[lengths > 0]
    if not len(lasting):
        return Gauge()
    return Gauge(
        integral=int((levels * lengths).sum()),
        min=int(lasting.min()),
        max=int(lasting.max()),
        last=int(lasting[-1]),
    )
