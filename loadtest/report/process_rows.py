"""The table of a search with several numbers of processes: a row per number."""

from __future__ import annotations

from loadtest.analysis.comparison.objective_check import value_in_units
from loadtest.analysis.units import NO_VALUE, count, marked_duration, rate
from loadtest.model.search_result import Search
from loadtest.model.summary import PoolSummary, Summary
from loadtest.report.pool_table import throughput_interval

PROCESS_HEADINGS = (
    *("processes", "smallest pool", "connections", "ok/s", "95 % interval", "wait p95"),
    *("objective", "result"),
)
_RESULTS = {
    "found": "smallest pool found",
    "missed": "no pool meets the objective",
    "invalid": "not valid",
    "undecided": "undecided",
}


def process_rows(summary: Summary) -> list[tuple[str, ...]]:
    """The cells under PROCESS_HEADINGS; empty without such a search."""
    return [_row(summary, part) for part in summary.search.by_processes] if summary.search else []


def _row(summary: Summary, part: Search) -> tuple[str, ...]:
    chosen = next((one.pool for one in part.sizes if one.size == part.size), None)
    if chosen is None:
        nothing = [NO_VALUE] * (len(PROCESS_HEADINGS) - 2)
        return count(part.processes), *nothing, _RESULTS[part.outcome]
    pool = summary.pool(chosen)
    return (
        count(part.processes),
        count(part.size),
        count(part.connections),
        rate(pool.throughput.per_second),
        throughput_interval(pool) or NO_VALUE,
        marked_duration(pool.checkout.wait_seconds, "p95"),
        _objectives(pool),
        "recommended" if chosen == summary.verdict.recommended else _RESULTS[part.outcome],
    )


def _objectives(pool: PoolSummary) -> str:
    return ", ".join(value_in_units(one)[0] for one in pool.objectives) or NO_VALUE
