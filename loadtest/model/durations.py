"""A distribution of times as a summary has it."""

from __future__ import annotations

from loadtest.model.field_types import Value


class Durations(Value):
    """A distribution of times in seconds; `at_least` names the values that are lower bounds."""

    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None
    at_least: tuple[str, ...] = ()
