"""The report of a recording as Markdown."""

from __future__ import annotations

from loadtest.model.recording_summary import RecordedPoolSummary, RecordingSummary
from loadtest.report.markdown import escaped_text, markdown_table
from loadtest.report.recorded import recording_rows as rows


def recording_markdown(summary: RecordingSummary) -> str:
    """The verdict, the pools, their places and the findings."""
    headline, *rest = summary.verdict.splitlines()
    parts = [f"## {escaped_text(summary.application)}", f"**{escaped_text(headline)}**"]
    parts += [*map(escaped_text, rest), escaped_text(rows.circumstances(summary))]
    parts.append(markdown_table(rows.RECORDED_COLUMNS, [*map(rows.recorded_row, summary.pools)]))
    parts += [part for pool in summary.pools for part in _of_pool(pool)]
    parts += [f"- {escaped_text(problem)}" for problem in summary.problems]
    return "\n\n".join(parts) + "\n"


def _of_pool(pool: RecordedPoolSummary) -> list[str]:
    places = [
        f"Places of {escaped_text(pool.name)}:",
        markdown_table(rows.PLACE_COLUMNS, [*map(rows.place_row, pool.places)]),
    ]
    findings = [
        f"- **{finding.severity}**, {pool.name}: "
        f"{escaped_text(f'{finding.message} [{finding.code}]')}"
        for finding in pool.findings
    ]
    return [*(places if pool.places else []), *(["\n".join(findings)] if findings else [])]
