"""The raw clock readings of an interval, and the values that follow from each one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from loadtest.model.distribution import Distribution, Nanoseconds
from loadtest.model.interval import SlowCheckout
from loadtest.pool.task_usage import Task, Use

Outcome = Literal["ok", "timeout", "error"]
clock = time.perf_counter_ns

# A checkout from an idle pool takes about 10 µs of Python; less than this (ns) is not queueing.
NOTICEABLE = 100_000


@dataclass(slots=True)
class Phases:
    """The phases of a checkout after its wait (ns).

    Only for checkouts that connect or ping, or whose listener makes another checkout.
    began: the end of the wait. connecting: the begin of a connect in progress, else 0.
    nested: whether a listener made another checkout meanwhile.
    """

    began: int
    connecting: int = 0
    connect: int = 0
    ping: int = 0
    reconnects: bool = False
    nested: bool = False
    overflow: int = 0

    def connected(self, now: int) -> None:
        """End the connect in progress, if any."""
        if self.connecting:
            self.connect += now - self.connecting
            self.connecting = 0


class Checkout(NamedTuple):
    """One finished checkout that was not quick; `start` and `end` in clock nanoseconds.

    waiting, open: other checkouts in progress and open connections at its end.
    """

    start: int
    end: int
    user: int
    task: Task
    phases: Phases | None
    outcome: Outcome
    waiting: int
    open: int


@dataclass(frozen=True)
class Batch:
    """The recordings between two moments (ns).

    quick: start, end and user of the checkouts that found an idle connection (n x 3); noticed: all
    others. holds: start and end (n x 2), from the end of a checkout to the return; held: the same
    for holds in progress. uses: by the names of tasks. closes: (opened, closed, reason).
    opened: the opening times of the open connections; holders: the tasks that hold connections.
    levels: values of further gauges, by name.
    waiting: the checkouts in progress: user, start and end of the wait (now, unless connecting).
    requests: the durations of successful requests; abandoned: of those without an outcome.
    """

    begin: int
    now: int
    openings: int
    contexts: int
    quick: Nanoseconds
    noticed: Sequence[Checkout]
    holds: Nanoseconds
    held: Nanoseconds
    uses: Mapping[str, Use]
    resets: Sequence[int]
    closes: Sequence[tuple[int, int, str]]
    opened: Sequence[int]
    holders: Sequence[Task]
    levels: Mapping[str, int]
    waiting: Sequence[tuple[int, int, int]]
    requests: Sequence[int]
    failures: Sequence[tuple[int, str]]
    abandoned: Sequence[int]
    lags: Sequence[int]
    thinks: Sequence[int]
    schedule_lags: Sequence[int]

    @cached_property
    def waits(self) -> Nanoseconds:
        """The wait of each checkout (ns): the quick ones, then the noticed ones."""
        noticed = np.array([wait_of(checkout) for checkout in self.noticed], dtype=np.int64)
        return np.concatenate([self.quick[:, 1] - self.quick[:, 0], noticed])

    @cached_property
    def spans(self) -> Nanoseconds:
        """Starts and ends of all holds; holds in progress end now."""
        return np.concatenate([self.holds, self.held])

    @cached_property
    def users(self) -> Nanoseconds:
        """The user of each checkout, in the order of the waits."""
        noticed = np.array([checkout.user for checkout in self.noticed], dtype=np.int64)
        return np.concatenate([self.quick[:, 2], noticed])

    @cached_property
    def served(self) -> Nanoseconds:
        """1 for each checkout that got a connection, else 0, in the order of the waits."""
        noticed = [checkout.outcome == "ok" for checkout in self.noticed]
        return np.concatenate([np.ones(len(self.quick), np.int64), np.array(noticed, np.int64)])


def wait_of(checkout: Checkout) -> int:
    """The wait of a checkout (ns): its time without connecting, pinging and listeners."""
    elapsed = checkout.end - checkout.start
    phases = checkout.phases
    if phases and phases.nested:
        return phases.began - checkout.start
    return max(0, elapsed - phases.connect - phases.ping) if phases else elapsed


def source_of(checkout: Checkout) -> str:
    """The counter of a checkout: the source of its connection, or the kind of failure."""
    if checkout.outcome != "ok":
        return "timeouts" if checkout.outcome == "timeout" else "checkout_errors"
    phases = checkout.phases
    if not phases or not phases.connect:
        return "checkouts.pooled"
    if phases.reconnects:
        return "checkouts.reconnect"
    return "checkouts.overflow" if phases.overflow else "checkouts.new"


def counters(batch: Batch) -> Counter[str]:
    """The counters of a batch."""
    counts = Counter(source_of(checkout) for checkout in batch.noticed)
    counts["checkouts.pooled"] += len(batch.quick)
    counts["checkouts"] = int(batch.served.sum())
    counts["opened"] = batch.openings
    counts["tls_contexts"] = batch.contexts
    counts.update(f"closed.{reason}" for _, _, reason in batch.closes)
    counts["requests"] = len(batch.requests) + len(batch.failures)
    counts["failures"] = len(batch.failures)
    counts.update(f"errors.{kind}" for _, kind in batch.failures)
    counts["abandoned"] = len(batch.abandoned)
    retries = [kind for use in batch.uses.values() for kind in use.retries]
    counts["retries"] = len(retries)
    counts.update(f"retries.{kind}" for kind in retries)
    return counts


def histograms(batch: Batch) -> dict[str, Distribution]:
    """The distributions of a batch by name; empty ones are left out."""
    noticed, quick, holds = batch.noticed, batch.quick, batch.holds
    connects = [c.phases for c in noticed if c.phases and c.phases.connect]
    whole = np.array([c.end - c.start for c in noticed if c.outcome != "error"], dtype=np.int64)
    samples: dict[str, Nanoseconds | Sequence[int]] = {
        "checkout": np.concatenate([quick[:, 1] - quick[:, 0], whole]),
        "wait": batch.waits,
        "connect": [p.connect for p in connects if not p.reconnects],
        "reconnect": [p.connect for p in connects if p.reconnects],
        "ping": [c.phases.ping for c in noticed if c.phases and c.phases.ping],
        "hold": holds[:, 1] - holds[:, 0],
        "reset": batch.resets,
        "request": batch.requests,
        "failed_request": [duration for duration, _ in batch.failures],
        "abandoned_request": batch.abandoned,
        "generator_lag": batch.lags,
        "think": batch.thinks,
        "schedule_lag": batch.schedule_lags,
    }
    return {name: Distribution.of(values) for name, values in samples.items() if len(values)}


def slow_checkout(checkout: Checkout, batch: Batch, pool_size: int | None) -> SlowCheckout:
    """A checkout as an interval keeps it among its slowest."""
    own = batch.spans[batch.spans[:, 0] == checkout.end]
    hold = int(own[0, 1]) - checkout.end if checkout.outcome == "ok" and len(own) else None
    phases = checkout.phases or Phases(0)
    return SlowCheckout(
        total=checkout.end - checkout.start,
        wait=wait_of(checkout),
        connect=phases.connect,
        ping=phases.ping,
        hold=hold,
        task=checkout.task.name or None,
        overflow=max(0, checkout.open - pool_size) if pool_size else 0,
        waiting=checkout.waiting,
    )
