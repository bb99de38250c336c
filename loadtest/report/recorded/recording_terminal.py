"""The report of a recording in the terminal."""

from __future__ import annotations

from rich.console import Console

from loadtest.model.recording_summary import RecordedPoolSummary, RecordingSummary
from loadtest.report.console import plain, text_table, trimmed
from loadtest.report.recorded import recording_rows as rows

_STYLES = {"error": "bold red", "warning": "yellow", "info": ""}
# The page has all places.
_MOST_PLACES = 12


def print_recording(summary: RecordingSummary, console: Console) -> None:
    """Print pools, places, shortages, findings and verdict; no colours or frames in a pipe."""
    with trimmed(console):
        _print(summary, console)


def _print(summary: RecordingSummary, console: Console) -> None:
    console.print(plain(f"{summary.application}: {rows.circumstances(summary)}", console))
    console.print(text_table(console, rows.RECORDED_COLUMNS, map(rows.recorded_row, summary.pools)))
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
    console.print(text_table(console, rows.PLACE_COLUMNS, map(rows.place_row, shown)))
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
