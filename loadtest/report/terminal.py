"""The table, the findings and the verdict at the end of a command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter

from rich.console import Console
from rich.table import Table

from loadtest.analysis.findings import mostly_failing
from loadtest.analysis.pool_settings import create_engine_line, multiplied
from loadtest.analysis.units import count, percent, rate
from loadtest.model.summary import Comparison, Finding, PoolSummary, Summary
from loadtest.report import fault_rows, process_rows
from loadtest.report.comparison_rows import COMPARISON_COLUMNS as COMPARED
from loadtest.report.comparison_rows import comparison_row as compared_row
from loadtest.report.console import fitting, plain, text_table, trimmed
from loadtest.report.driven import request_rows
from loadtest.report.pool_table import (
    application_changes,
    marked_duration,
    throughput_interval,
)

_DECISIONS = {"better": "green", "worse": "bold red"}
_STYLES = {"error": "bold red", "warning": "yellow"}
# The order: leaks and mostly failed requests, other errors, warnings.
_ORDER: Sequence[tuple[str, Callable[[Finding], bool]]] = (
    ("error", lambda finding: finding.code in mostly_failing.TOLD_FIRST),
    ("error", lambda finding: finding.code not in mostly_failing.TOLD_FIRST),
    ("warning", lambda _: True),
)
POOL_COLUMNS = (
    *("pool", "ok/s", "95 % interval", "wait p95", "request p95"),
    *("conns", "errors", "CPU"),
)

# A narrow terminal shows the table without these; the report has them.
_SPARE_COLUMNS = ("95 % interval", "CPU", "conns", "request p95")


def print_summary(summary: Summary, console: Console) -> None:
    """Print the pools, the findings and the verdict; no colours or frames in a file or a pipe."""
    with trimmed(console):
        _print(summary, console)


def print_comparisons(
    compared: Sequence[Comparison], not_valid: Sequence[str], console: Console
) -> None:
    """Print what became better or worse, a row for each metric."""
    with trimmed(console):
        _print_comparisons(compared, not_valid, console)


def _print_comparisons(
    compared: Sequence[Comparison], not_valid: Sequence[str], console: Console
) -> None:
    styles = [_DECISIONS.get(one.decision, "") for one in compared]
    words = ("against", "metric", "decision")
    console.print(text_table(console, COMPARED, map(compared_row, compared), styles, words))
    for name in not_valid:
        text = f"{name}: the measurement is not valid and decides nothing (see loadtest report)"
        console.print(plain(text, console, "bold red"))


def _print(summary: Summary, console: Console) -> None:
    _print_verdict(summary, console)
    console.print()
    console.print(_table(summary, console))
    console.print()
    _print_processes(summary, console)
    _print_requests(summary, console)
    _print_faults(summary, console)
    searched = bool(summary.search and summary.search.by_processes)  # the table has them
    several = [pool for pool in summary.pools if pool.processes > 1 and not searched]
    for pool in several:
        console.print(plain(f"{pool.name}: {multiplied(pool.pool, pool.processes)}", console))
    changes = application_changes(summary)
    for line in changes:
        console.print(plain(line, console))
    if several or changes:
        console.print()
    _print_findings(summary, console)


def _print_verdict(summary: Summary, console: Console) -> None:
    """Print the verdict: its first line is green if it recommends a pool.

    It is yellow if none of several pools is recommended.
    """
    headline, *rest = summary.verdict.text.splitlines()
    undecided = " yellow" if len(summary.pools) > 1 else ""
    style = "bold green" if summary.verdict.recommended else f"bold{undecided}"
    console.print(plain(headline, console, style))
    if summary.settings:
        console.print(plain(f"    {create_engine_line(summary.settings)}", console), soft_wrap=True)
    for line in rest:
        console.print(plain(line, console))


def _print_processes(summary: Summary, console: Console) -> None:
    """Print the smallest pool for each number of processes, if a search tried several."""
    if rows := process_rows.process_rows(summary):
        words = ("objective", "result")
        console.print(text_table(console, process_rows.PROCESS_HEADINGS, rows, words=words))
        console.print()


def _print_requests(summary: Summary, console: Console) -> None:
    """Print the most frequent requests to an application, a row per name and pool."""
    most = request_rows.MOST_IN_TERMINAL
    rows = request_rows.request_rows(summary, most)
    if not rows:
        return
    headings = request_rows.FEW_HEADINGS
    cells = [row[: len(headings)] for row in rows]
    console.print(text_table(console, headings, cells, words=("pool",)))
    if more := request_rows.not_shown(summary, most):
        console.print(plain(f"{more} less frequent names are in summary.json only.", console))
    for sentence in request_rows.explanations(summary):
        console.print(plain(sentence, console))
    console.print()


def _print_faults(summary: Summary, console: Console) -> None:
    """Print the effects of each fault, a row per pool, under the name of the fault."""
    for fault, pools in groupby(fault_rows.fault_rows(summary), itemgetter(0)):
        console.print(plain(fault, console, "bold"))
        headings = fault_rows.FAULT_HEADINGS[1:]
        console.print(text_table(console, headings, [cells for _, *cells in pools]))
        console.print()


def _print_findings(summary: Summary, console: Console) -> None:
    """Print the findings that matter, the serious ones first."""
    found = [
        (severity, f"{pool.name}: {_message(pool, finding, summary)}", f" [{finding.code}]")
        for severity, of in _ORDER
        for pool in _told_of(summary)
        for finding in pool.findings
        if finding.severity == severity and of(finding) and not _told_already(pool, finding)
    ]
    found += [("warning", str(problem), "") for problem in summary.experiment.get("problems", ())]
    if found:
        console.print("Findings", style="bold")
    for severity, text, code in found:
        told = plain(f"- {text}", console, _STYLES[severity])
        console.print(told.append_text(plain(code, console, "not bold dim default")))
    if found:
        console.print()


def _told_of(summary: Summary) -> Sequence[PoolSummary]:
    """The pools whose findings matter: in a search, its answer and the invalid pools.

    The other sizes of a search are expected to be bottlenecks.
    """
    if summary.search is None:
        return summary.pools
    answer = summary.verdict.recommended
    return [pool for pool in summary.pools if pool.name == answer or not pool.valid]


def _told_already(pool: PoolSummary, finding: Finding) -> bool:
    """Whether a finding repeats that most requests failed with a kind of error."""
    kind = mostly_failing.main_kind(pool.errors)
    return mostly_failing.fails_mostly(pool) and finding.code == f"errors_{kind}"


def _message(pool: PoolSummary, finding: Finding, summary: Summary) -> str:
    """A finding with an example of its error; beside a leak, the verdict may have that example."""
    example = mostly_failing.example_in_words(pool.errors)
    message, leaks = finding.message, any(one.code == "leak" for one in pool.findings)
    if leaks and example and example.removeprefix(": ") in summary.verdict.text:
        message = message.replace(example, "")
    return f"{message}{_example(pool, finding)}"


def _example(pool: PoolSummary, finding: Finding) -> str:
    """An example of a kind of error."""
    if mostly_failing.fails_mostly(pool):
        return ""  # the first finding has one
    told = pool.errors.kinds.get(finding.error_kind or "")
    return f" For example: {' '.join(told.example.split())}" if told and told.example else ""


def _table(summary: Summary, console: Console) -> Table:
    chosen = summary.verdict.recommended
    styles = [
        "bold" if pool.name == chosen else "" if pool.valid else "dim" for pool in summary.pools
    ]
    rows = [pool_row(pool) for pool in summary.pools]
    return text_table(console, *fitting(console, POOL_COLUMNS, rows, _SPARE_COLUMNS), styles)


def pool_row(pool: PoolSummary) -> tuple[str, ...]:
    """The cells of a pool, under POOL_COLUMNS."""
    name = pool.name if pool.valid else f"{pool.name}\n({_why_not(pool)})"
    return (
        name,
        rate(pool.throughput.per_second),
        throughput_interval(pool),
        marked_duration(pool.checkout.wait_seconds, "p95"),
        marked_duration(pool.request_seconds, "p95"),
        count(pool.connections.peak),
        percent(pool.errors.rate),
        percent(pool.generator.cpu),
    )


def _why_not(pool: PoolSummary) -> str:
    return "failing" if mostly_failing.fails_mostly(pool) else "invalid"
