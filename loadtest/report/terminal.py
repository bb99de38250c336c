"""The table, the findings and the verdict at the end of a command."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadtest.analysis.settings import multiplied
from loadtest.analysis.units import count, percent, rate
from loadtest.analysis.values import Comparison, Finding, PoolSummary, Summary
from loadtest.report.compared import COLUMNS as COMPARED
from loadtest.report.compared import row as compared_row
from loadtest.report.table import bound, interval

_ASCII = str.maketrans({"µ": "u", "–": "-", "≥": ">", "×": "x", "·": "-"})
_DECISIONS = {"better": "green", "worse": "bold red"}
_STYLES = {"error": "bold red", "warning": "yellow"}
COLUMNS = ("pool", "ok/s", "95 % interval", "wait p95", "task p95", "conns", "errors", "CPU")


def print_summary(summary: Summary, console: Console) -> None:
    """Print the pools, what was found and the verdict; no colours or frames in a file or a pipe."""
    printed(lambda: _print(summary, console), console)


def printed(print_all: Callable[[], None], console: Console) -> None:
    """Print to a console, without blanks at the ends of lines in a file or a pipe."""
    if console.is_terminal:
        print_all()
        return
    with console.capture() as said:
        print_all()
    console.out("\n".join(line.rstrip() for line in said.get().splitlines()), highlight=False)


def print_comparisons(
    compared: Sequence[Comparison], not_valid: Sequence[str], console: Console
) -> None:
    """Print what became better or worse, a row for each metric."""
    table = _grid(console, COMPARED)
    for one in compared:
        table.add_row(
            *(
                plain_text(cell, console, _DECISIONS.get(one.decision, ""))
                for cell in compared_row(one)
            )
        )
    console.print(table)
    for name in not_valid:
        text = f"{name}: the measurement is not valid, its numbers decide nothing (loadtest report)"
        console.print(plain_text(text, console, "bold red"))


def print_grid(columns: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    """Print a table of plain cells as narrow as it can be, numbers to the right."""
    table = _grid(console, columns)
    table.collapse_padding = True
    table.columns[0].min_width = None
    for row_ in rows:
        table.add_row(*(plain_text(cell, console) for cell in row_))
    console.print(table)


def _print(summary: Summary, console: Console) -> None:
    console.print(_table(summary, console))
    console.print()
    several = [pool for pool in summary.pools if pool.processes > 1]
    for pool in several:
        console.print(plain_text(f"{pool.name}: {multiplied(pool.pool, pool.processes)}", console))
    if several:
        console.print()
    _print_findings(summary, console)
    headline, *rest = summary.verdict.text.splitlines()
    console.print(
        plain_text(headline, console, "bold green" if summary.verdict.recommended else "bold")
    )
    for line in rest:
        console.print(plain_text(line, console))


def _print_findings(summary: Summary, console: Console) -> None:
    """Findings that matter, the serious ones first, in words that are no failure of the tool."""
    found = [
        (severity, f"{pool.name}: {finding.message}{_example(pool, finding)}")
        for severity in _STYLES
        for pool in summary.pools
        for finding in pool.findings
        if finding.severity == severity
    ]
    found += [("warning", str(problem)) for problem in summary.experiment.get("problems", ())]
    if found:
        console.print("Findings", style="bold")
    for severity, text in found:
        console.print(plain_text(f"- {text}", console, _STYLES[severity]))
    if found:
        console.print()


def _example(pool: PoolSummary, finding: Finding) -> str:
    """Of a kind of error, one in its own words."""
    told = pool.errors.kinds.get(finding.code.removeprefix("errors_"))
    return f" For example: {' '.join(told.example.split())}" if told and told.example else ""


def _table(summary: Summary, console: Console) -> Table:
    table = _grid(console, COLUMNS)
    for pool in summary.pools:
        chosen = pool.name == summary.verdict.recommended
        style = "bold" if chosen else "" if pool.valid else "dim"
        table.add_row(*(plain_text(cell, console) for cell in row(pool)), style=style)
    return table


def _grid(console: Console, columns: Sequence[str]) -> Table:
    plain = console.options.ascii_only or not console.is_terminal
    table = Table(box=None if plain else box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for number, heading in enumerate(columns):
        table.add_column(
            heading,
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=number > 0,
            min_width=None if number else len("(invalid)"),
        )
    return table


def row(pool: PoolSummary) -> tuple[str, ...]:
    """The cells of a pool, under COLUMNS."""
    name = pool.name if pool.valid else f"{pool.name}\n(invalid)"
    return (
        name,
        rate(pool.throughput.per_second),
        interval(pool),
        bound(pool.checkout.wait_seconds, "p95"),
        bound(pool.request_seconds, "p95"),
        count(pool.connections.peak),
        percent(pool.errors.rate),
        percent(pool.generator.cpu),
    )


def plain_text(text: str, console: Console, style: str = "") -> Text:
    """Text without markup, since names come from files; plain letters where there are no others."""
    return Text(text.translate(_ASCII) if console.options.ascii_only else text, style=style)
