"""The raw clock readings of an interval, and the values that follow from each one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Literal, NamedTuple

import numpy as np

from loadtest.model.distribution import Distribution, Nanoseconds
from loadtest.model.interval import SlowCheckout
from loadtest.model.steps import LetOthersRun, in_steps
from loadtest.pool.task_usage import Task, Use, as_rows

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

    quick: start, end and user of the checkouts that found an idle connection (n x 3), in a
    recording their key, too; noticed: all others. holds: start and end (n x 2), from the end of a
    checkout to the return; held: the same for holds in progress. ended: start, end, key, number and
    time of the queries, and longest time without one of a recording's holds (n x 6). uses: by the
    names of tasks. closes: (opened, closed, reason).
    opened: the opening times of the open connections; holders: the tasks that hold connections.
    levels: values of further gauges, by name.
    waiting: the checkouts in progress: user, start and end of the wait (now, unless connecting).
    requests: the durations of successful requests; abandoned: of those without an outcome.
    let_others_run: called between the steps of what follows from these.
    """

    begin: int
    now: int
    openings: int
    contexts: int
    quick: Nanoseconds
    noticed: Sequence[Checkout]
    holds: Nanoseconds
    ended: Nanoseconds
    held: Nanoseconds
    uses: Mapping[str, Use]
    resets: Nanoseconds
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
    let_others_run: LetOthersRun

    @cached_property
    def columns(self) -> Nanoseconds:
        """Start, end, user and wait of each noticed checkout, and 1 for an outcome: ok, error."""
        numbers: list[int] = []
        for one in in_steps(self.noticed, self.let_others_run):
            outcomes = one.outcome == "ok", one.outcome == "error"
            numbers.extend((one.start, one.end, one.user, wait_of(one), *outcomes))
        return as_rows(numbers, 6, self.let_others_run).T

    @property
    def failed_checkouts(self) -> bool:
        """Whether a checkout failed."""
        return not self.columns[4].all()

    @cached_property
    def waits(self) -> Nanoseconds:
        """The wait of each checkout (ns): the quick ones, then the noticed ones."""
        return np.concatenate([self.quick[:, 1] - self.quick[:, 0], self.columns[3]])

    @cached_property
    def spans(self) -> Nanoseconds:
        """Starts and ends of all holds; holds in progress end now."""
        return np.concatenate([self.holds, self.held])

    @cached_property
    def users(self) -> Nanoseconds:
        """The user of each checkout, in the order of the waits."""
        return np.concatenate([self.quick[:, 2], self.columns[2]])

    @cached_property
    def served(self) -> Nanoseconds:
        """1 for each checkout that got a connection, else 0, in the order of the waits."""
        return np.concatenate([np.ones(len(self.quick), np.int64), self.columns[4]])


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
    counts = Counter(map(source_of, in_steps(batch.noticed, batch.let_others_run)))
    counts["checkouts.pooled"] += len(batch.quick)
    counts["checkouts"] = len(batch.quick) + int(batch.columns[4].sum())
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
    quick, holds = batch.quick, batch.holds
    start, end, _, _, _, error = batch.columns
    phases = [one.phases for one in batch.noticed if one.phases]
    connects = [one for one in phases if one.connect]
    samples: dict[str, Nanoseconds | Sequence[int]] = {
        "checkout": np.concatenate([quick[:, 1] - quick[:, 0], (end - start)[error == 0]]),
        "wait": batch.waits,
        "connect": [one.connect for one in connects if not one.reconnects],
        "reconnect": [one.connect for one in connects if one.reconnects],
        "ping": [one.ping for one in phases if one.ping],
        "hold": holds[:, 1] - holds[:, 0],
        "reset": batch.resets,
        "request": batch.requests,
        "failed_request": [duration for duration, _ in batch.failures],
        "abandoned_request": batch.abandoned,
        "generator_lag": batch.lags,
        "think": batch.thinks,
        "schedule_lag": batch.schedule_lags,
    }
    filled = {
        name: np.asarray(values, dtype=np.int64) for name, values in samples.items() if len(values)
    }
    if not filled:
        return {}
    batch.let_others_run()
    begins = [0, *accumulate(map(len, filled.values()))][:-1]
    found = Distribution.of_groups(np.concatenate([*filled.values()]), begins)
    return dict(zip(filled, in_steps(found, batch.let_others_run), strict=True))


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
