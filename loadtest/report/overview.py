"""The overview of the pools: a row per pool, with the number that each cell sorts by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from loadtest.analysis.units import count, percent, rate
from loadtest.model.durations import Durations
from loadtest.model.summary import PoolSummary, Summary
from loadtest.report.pool_table import marked_duration, throughput_interval


@dataclass(frozen=True)
class Cell:
    """A value as text; number: what it sorts by, None without a value."""

    text: str
    number: float | None
    note: str = ""


DurationsOf = Callable[[PoolSummary], Durations]


def _percentile(of: DurationsOf, name: str) -> Callable[[PoolSummary], Cell]:
    return lambda pool: Cell(marked_duration(of(pool), name), getattr(of(pool), name))


def _wait(pool: PoolSummary) -> Durations:
    return pool.checkout.wait_seconds


_COLUMNS: Mapping[str, Callable[[PoolSummary], Cell]] = {
    "ok/s": lambda pool: Cell(
        rate(pool.throughput.per_second), pool.throughput.per_second, throughput_interval(pool)
    ),
    "wait p50": _percentile(_wait, "p50"),
    "wait p95": _percentile(_wait, "p95"),
    "wait p99": _percentile(_wait, "p99"),
    "request p95": _percentile(lambda pool: pool.request_seconds, "p95"),
    "peak connections": lambda pool: Cell(count(pool.connections.peak), pool.connections.peak),
    "errors": lambda pool: Cell(percent(pool.errors.rate), pool.errors.rate),
    "valid": lambda pool: Cell("yes" if pool.valid else "no", float(pool.valid)),
}
OVERVIEW_HEADINGS = ("pool", *_COLUMNS)


def overview_rows(summary: Summary) -> list[tuple[PoolSummary, list[Cell]]]:
    """Each pool and its cells, under OVERVIEW_HEADINGS after the first; empty for a single pool."""
    if len(summary.pools) < 2:
        return []
    return [(pool, [cell(pool) for cell in _COLUMNS.values()]) for pool in summary.pools]
