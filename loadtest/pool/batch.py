"""The raw clock readings of an interval, and what can be said of each without the others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from loadtest.distribution import Distribution
from loadtest.interval import SlowCheckout

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


@dataclass(frozen=True)
class Batch:
    """What was recorded between two moments (ns): closes are (opened, closed, reason)."""

    begin: int
    now: int
    openings: int
    checkouts: Sequence[Checkout]
    holds: Sequence[Hold]
    closes: Sequence[tuple[int, int, str]]
    requests: Sequence[tuple[int, str | None]]
    lags: Sequence[int]
    thinks: Sequence[int]

    @cached_property
    def waits(self) -> Sequence[int]:
        """How long each checkout waited (ns)."""
        return [wait_of(checkout) for checkout in self.checkouts]


def wait_of(checkout: Checkout) -> int:
    """The nanoseconds of a checkout that were neither connecting nor pinging."""
    elapsed = checkout.end - checkout.start
    phases = checkout.phases
    return max(0, elapsed - phases.connect - phases.ping) if phases else elapsed


def source_of(checkout: Checkout) -> str:
    """The counter of a checkout: where its connection came from, or how it failed."""
    if checkout.outcome != "ok":
        return "timeouts" if checkout.outcome == "timeout" else "checkout_errors"
    phases = checkout.phases
    if not phases or not phases.connect:
        return "checkouts.pooled"
    if phases.reconnects:
        return "checkouts.reconnect"
    return "checkouts.overflow" if phases.overflow else "checkouts.new"


def histograms(batch: Batch) -> dict[str, Distribution]:
    """The distributions of a batch by name; those without a value are left out."""
    checkouts, holds, requests = batch.checkouts, batch.holds, batch.requests
    connects = [c.phases for c in checkouts if c.phases and c.phases.connect]
    samples: dict[str, Sequence[int]] = {
        "checkout": [c.end - c.start for c in checkouts if c.outcome != "error"],
        "wait": batch.waits,
        "connect": [p.connect for p in connects if not p.reconnects],
        "reconnect": [p.connect for p in connects if p.reconnects],
        "ping": [c.phases.ping for c in checkouts if c.phases and c.phases.ping],
        "hold": [hold.end - hold.start for hold in holds],
        "reset": [hold.reset for hold in holds if hold.reset],
        "request": [duration for duration, failure in requests if not failure],
        "failed_request": [duration for duration, failure in requests if failure],
        "generator_lag": batch.lags,
        "think": batch.thinks,
    }
    return {name: Distribution.of(values) for name, values in samples.items() if values}


def slow(checkout: Checkout, pool_size: int | None) -> SlowCheckout:
    """A checkout as an interval keeps it among its slowest."""
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
