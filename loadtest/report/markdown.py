"""The summary as Markdown, for a pull request or a wiki."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from loadtest.analysis.comparison.objective_check import MET_IN_WORDS, value_in_words
from loadtest.analysis.pool_settings import create_engine_line
from loadtest.model.errors import UsageError
from loadtest.model.summary import Comparison, ObjectiveResult, PoolSummary, Summary
from loadtest.report import process_rows
from loadtest.report.comparison_rows import COMPARISON_COLUMNS as COMPARED
from loadtest.report.comparison_rows import comparison_row as compared_row
from loadtest.report.driven import request_rows
from loadtest.report.pool_table import application_changes
from loadtest.report.terminal import POOL_COLUMNS, pool_row


def markdown(summary: Summary) -> str:
    """The verdict, the pools, their objectives and the findings."""
    headline, *rest = summary.verdict.text.splitlines()
    parts = [f"## {escaped_text(str(summary.experiment.get('name') or 'Connection pool'))}"]
    parts += [f"**{escaped_text(headline)}**", *(escaped_text(line) for line in rest)]
    if summary.settings:
        parts.append(f"```python\n{create_engine_line(summary.settings)}\n```")
    parts.append(markdown_table(POOL_COLUMNS, [pool_row(pool) for pool in summary.pools]))
    if processes := process_rows.process_rows(summary):
        parts.append(markdown_table(process_rows.PROCESS_HEADINGS, processes))
    parts += [f"- {escaped_text(line)}" for line in application_changes(summary)]
    if requests := request_rows.request_rows(summary):
        parts.append(markdown_table(request_rows.REQUEST_HEADINGS, requests))
        parts += [f"- {escaped_text(line)}" for line in request_rows.explanations(summary)]
    objectives = [_objective(pool, one) for pool in summary.pools for one in pool.objectives]
    if objectives:
        parts.append(markdown_table(("pool", "objective", "value", "result"), objectives))
    if summary.comparisons:
        parts.append(comparisons_markdown(summary.comparisons))
    findings = "\n".join(_findings(summary))
    return "\n\n".join([*parts, findings] if findings else parts) + "\n"


def comparisons_markdown(compared: Sequence[Comparison], notes: Sequence[str] = ()) -> str:
    """Pools compared with their baseline, a row for each metric, and notes."""
    table = markdown_table(COMPARED, [compared_row(one) for one in compared])
    return "\n\n".join([table, *map(escaped_text, notes)])


def write_markdown(path: Path, text: str) -> None:
    """Write a text to a file; raises UsageError if that fails."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def _objective(pool: PoolSummary, objective: ObjectiveResult) -> tuple[str, ...]:
    judged = MET_IN_WORDS[objective.met] if pool.valid else "not valid"
    return pool.name, objective.text, value_in_words(objective), judged


def _findings(summary: Summary) -> Iterator[str]:
    for pool in summary.pools:
        for finding in pool.findings:
            text = f"{finding.message} [{finding.code}]"
            yield f"- **{finding.severity}**, {pool.name}: {escaped_text(text)}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Plain cells as a table, numbers right-aligned."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(escaped_text(cell) for cell in line) + " |" for line in lines
    )


def escaped_text(text: str) -> str:
    """Text with markup escaped: names and errors come from files."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("`", "'")
    text = re.sub(r"([\\|*\[\]])", r"\\\1", text)
    return re.sub(r"[\x00-\x1f]+", " ", text)
