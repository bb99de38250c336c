"""Comparisons in words, the same on the page, in a terminal and in Markdown."""

from __future__ import annotations

import math

from loadtest.analysis import units
from loadtest.analysis.comparison.comparer import FEWEST_ROUNDS
from loadtest.model.objective import of_request
from loadtest.model.summary import Comparison

COMPARISON_COLUMNS = ("pool", "against", "metric", "ratio", "95 % interval", "decision")
_NOT_SIGNIFICANT = " (not significant after the correction for several comparisons)"
_METRICS = {
    "throughput.per_second": "throughput",
    "request_seconds": "request",
    "checkout.wait_seconds": "wait",
    "checkout.seconds": "checkout",
    "hold_seconds": "hold",
    "errors.rate": "failed requests",
    "connections.peak": "peak connections",
    "connections.in_use": "connections in use",
    "checkout.timeout_rate": "timeouts",
}


def metric_name(path: str) -> str:
    """The name of a metric: `wait, p95`, of the requests of one name `GET /orders, p95`."""
    if requested := of_request(path):
        return ", ".join(requested)
    of, _, name = path.rpartition(".")
    return _METRICS.get(path) or (f"{_METRICS[of]}, {name}" if of in _METRICS else path)


def decision_in_words(comparison: Comparison) -> str:
    """The decision, and the further rounds if there is none."""
    if comparison.further_rounds is None:
        return comparison.decision
    more = units.plural(comparison.further_rounds, "more round")
    corrected = _NOT_SIGNIFICANT if _only_corrected(comparison) else ""
    return f"{comparison.decision}{corrected}: about {more} would decide"


def _only_corrected(comparison: Comparison) -> bool:
    """Whether the interval shows a difference that the correction for several metrics takes away.

    Pools whose rounds have lower bounds need no further rounds.
    """
    low, high = comparison.ci95 or (0.0, math.inf)
    enough = comparison.rounds >= FEWEST_ROUNDS and comparison.role == "secondary"
    return enough and not low <= 1 <= high


def comparison_row(comparison: Comparison) -> tuple[str, ...]:
    """The cells of one comparison, under COMPARISON_COLUMNS."""
    interval = [units.ratio(bound) for bound in comparison.ci95 or ()]
    return (
        comparison.pool,
        comparison.baseline,
        metric_name(comparison.metric) + (" (primary)" if comparison.role == "primary" else ""),
        units.ratio(comparison.ratio),
        " to ".join(interval) or units.NO_VALUE,
        decision_in_words(comparison),
    )
