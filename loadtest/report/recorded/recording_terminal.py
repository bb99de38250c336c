"""The report of a recording in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from loadtest.analysis.units import NO_VALUE
from loadtest.model.recording_summary import RecordedPoolSummary, RecordingSummary
from loadtest.report.console import LEAST_WIDTH, plain, text_table, trimmed
from loadtest.report.recorded import recording_rows as rows

_STYLES = {"error": "bold red", "warning": "yellow", "info": ""}
# The page has all places and columns.
_MOST_PLACES = 12
# Where space is short, columns are left out: those without a number first, then these in order.
_NOTHING = {"0", "0 %", NO_VALUE}
_SPARE_OF_POOLS = ("in use", "most open", "processes", "wait max")
_SPARE_OF_PLACES = ("hold max", "wait max", "hold p95", "errors", "held in waits", "in queries")
# Letters for a place, which is broken at its blank.
_PLACE_WIDTH = 24


def print_recording(summary: RecordingSummary, console: Console) -> None:
    """Print pools, places, shortages, findings and verdict; no colours or frames in a pipe."""
    with trimmed(console):
        _print(summary, console)


def _print(summary: RecordingSummary, console: Console) -> None:
    console.print(plain(f"{summary.application}: {rows.circumstances(summary)}", console))
    pools = [rows.recorded_row(pool) for pool in summary.pools]
    console.print(_fitting(console, rows.RECORDED_COLUMNS, pools, _SPARE_OF_POOLS))
    console.print()
    for pool in summary.pools:
        _print_places(pool, console)
        _print_shortages(pool, console)
    _print_findings(summary, console)
    headline, *rest = summary.verdict.splitlines()
    console.print(plain(headline, console, "bold"))
    for line in rest:
        console.print(plain(line, console))
    console.print(plain(rows.fleet_sentence(summary), console))


def _print_places(pool: RecordedPoolSummary, console: Console) -> None:
    if not pool.places:
        return
    console.print(plain(f"Places of {pool.name}", console, "bold"))
    shown = pool.places[:_MOST_PLACES]
    places = [rows.place_row(place) for place in shown]
    console.print(_fitting(console, rows.PLACE_COLUMNS, places, _SPARE_OF_PLACES))
    if left := len(pool.places) - len(shown):
        console.print(plain(f"({left} more on the page)", console))
    console.print()


def _print_shortages(pool: RecordedPoolSummary, console: Console) -> None:
    if not pool.shortages:
        return
    console.print(plain(f"The longest waits of {pool.name}", console, "bold"))
    texts = ("place that waited", "held then")
    cells = rows.shortage_rows(pool)
    console.print(text_table(console, rows.SHORTAGE_COLUMNS, cells, words=texts))
    console.print()


def _print_findings(summary: RecordingSummary, console: Console) -> None:
    found = [(pool, finding) for pool in summary.pools for finding in pool.findings]
    if not found and not summary.problems:
        return
    console.print("Findings", style="bold")
    for pool, finding in found:
        told = plain(f"- {pool.name}: {finding.message}", console, _STYLES[finding.severity])
        console.print(
            told.append_text(plain(f" [{finding.code}]", console, "not bold dim default"))
        )
    for problem in summary.problems:
        console.print(plain(f"- {problem}", console, _STYLES["warning"]))
    console.print()


def _fitting(
    console: Console,
    columns: Sequence[str],
    lines: Sequence[Sequence[str]],
    spare: Sequence[str],
) -> Table:
    """A table without the columns for which the terminal is too narrow."""
    shown = list(range(len(columns)))
    empty = [n for n in shown[1:] if all(line[n] in _NOTHING for line in lines)]
    for number in dict.fromkeys([*empty, *map(columns.index, spare)]):
        if _width([[line[n] for n in shown] for line in (columns, *lines)]) <= console.width:
            break
        shown.remove(number)
    cells = [[line[n] for n in shown] for line in lines]
    return text_table(console, [columns[n] for n in shown], cells)


def _width(lines: Sequence[Sequence[str]]) -> int:
    """The letters of a table's lines, with two blanks between columns."""
    first, *others = (max(map(len, column)) for column in zip(*lines, strict=True))
    return max(LEAST_WIDTH, min(first, _PLACE_WIDTH)) + sum(others) + 2 * len(others)
