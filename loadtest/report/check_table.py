"""The output of `loadtest doctor`: a row per check, errors first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from loadtest.analysis.units import plural
from loadtest.report.console import plain, trimmed

if TYPE_CHECKING:
    from loadtest.database.preflight.situation import PreflightCheck

SEVERITY_ORDER = ("error", "warning", "note", "ok")
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "ok": "green"}


def checks_json(server: str, checks: Sequence[PreflightCheck]) -> dict[str, Any]:
    """The checks as JSON values."""
    return {"schema": 1, "server": server, "checks": [asdict(check) for check in _sorted(checks)]}


def print_checks(server: str, checks: Sequence[PreflightCheck], console: Console) -> None:
    """Print every check; within 80 columns on a terminal, unbroken lines in a file or a pipe."""
    with trimmed(console):
        console.print(plain(server, console, "bold"))
        console.print(_table(checks, console))
        console.print(plain(_summed_up(checks), console, "bold"))


def _table(checks: Sequence[PreflightCheck], console: Console) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in _sorted(checks):
        style = _STYLES[check.severity]
        told = plain(check.message, console)
        if check.advice:
            told.append("\n").append(plain(check.advice, console, style))
        table.add_row(plain(check.severity, console, style), plain(check.code, console), told)
    return table


def _sorted(checks: Sequence[PreflightCheck]) -> list[PreflightCheck]:
    return sorted(checks, key=lambda check: SEVERITY_ORDER.index(check.severity))


def _summed_up(checks: Sequence[PreflightCheck]) -> str:
    counts = {name: sum(check.severity == name for check in checks) for name in SEVERITY_ORDER}
    said = [plural(counts[name], name) for name in SEVERITY_ORDER[:-1] if counts[name]]
    end = ": a run would be refused" if counts["error"] else ""
    return ", ".join([*said, f"{counts['ok']} ok"]) + end
