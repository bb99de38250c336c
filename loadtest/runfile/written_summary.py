"""The numbers of a summary.json that show a run among others."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct


class WrittenTimes(Struct, frozen=True):
    """Times in seconds; at_least: the values that are lower bounds."""

    p95: float | None = None
    at_least: tuple[str, ...] = ()


class WrittenCheckout(Struct, frozen=True):
    """The waits of checkouts."""

    wait_seconds: WrittenTimes


class WrittenThroughput(Struct, frozen=True):
    """Requests that succeeded per second."""

    per_second: float | None = None


class WrittenErrors(Struct, frozen=True):
    """The share of requests that failed."""

    rate: float | None = None


class WrittenFinding(Struct, frozen=True):
    """A finding in words."""

    message: str


class WrittenPool(Struct, frozen=True):
    """One pool in all of its rounds.

    seconds: measured. findings: those that make the measurement invalid come first.
    """

    name: str
    seconds: float
    throughput: WrittenThroughput
    checkout: WrittenCheckout
    errors: WrittenErrors
    findings: tuple[WrittenFinding, ...]
    valid: bool


class WrittenEnvironment(Struct, frozen=True):
    """When the first run began (UTC seconds)."""

    started: float | None = None


class WrittenSummary(Struct, frozen=True):
    """The pools of a summary, and when they were measured."""

    pools: tuple[WrittenPool, ...]
    environment: WrittenEnvironment = WrittenEnvironment()


_DECODER = msgspec.json.Decoder(WrittenSummary)


def read_summary(path: Path) -> WrittenSummary | None:
    """The summary of load tests in a file; None if it is missing, damaged or of another kind."""
    try:
        return _DECODER.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
