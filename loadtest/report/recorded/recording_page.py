"""The report of a recording as one self-contained page that fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loadtest.model.recording_summary import RecordedPoolSummary, RecordingSummary
from loadtest.report.figures.toolkit.drawing import Drawing
from loadtest.report.finding_rows import finding_rows
from loadtest.report.page_template import whole_page
from loadtest.report.recorded import recording_rows as rows
from loadtest.report.recorded.recording_origin import NO_ORIGIN, RecordingOrigin

Drawings = Mapping[str, Sequence[Drawing]]
"""The figures of each pool, by its name."""


def recording_page(
    summary: RecordingSummary, drawings: Drawings, origin: RecordingOrigin = NO_ORIGIN
) -> str:
    """The page; names and texts from files are escaped, only the figures are taken as markup."""
    headline, *rest = summary.verdict.splitlines()
    return whole_page(
        "recorded/recording.html.j2",
        title=summary.application,
        subtitle=rows.circumstances(summary),
        summary=summary,
        headline=headline,
        rest=rest,
        findings=finding_rows(summary),
        columns=rows.RECORDED_COLUMNS,
        rows=[rows.single_lines(rows.recorded_row(pool)) for pool in summary.pools],
        pool_colours={number: number for number, _ in enumerate(summary.pools)},
        fleet=rows.fleet_sentence(summary),
        pools=[_pool(pool, drawings[pool.name]) for pool in summary.pools],
        place_headings=rows.PLACE_HEADINGS,
        place_legend=rows.PLACE_LEGEND,
        shortage_columns=rows.SHORTAGE_COLUMNS,
        facts=list(_facts(summary)),
        files=origin.files,
        commands=origin.commands,
    )


def _pool(pool: RecordedPoolSummary, drawings: Sequence[Drawing]) -> dict[str, Any]:
    return {
        "name": pool.name,
        "drawings": drawings,
        "places": [rows.place_cells(one) for one in pool.places],
        "shortages": [rows.single_lines(row) for row in rows.shortage_rows(pool)],
        "facts": list(rows.recorded_facts(pool)),
    }


def _facts(summary: RecordingSummary) -> Iterator[tuple[str, str]]:
    environment = summary.environment
    yield "hosts", ", ".join(environment["hosts"])
    host = environment["host"]
    yield "machine", f"{host['cpus']} CPUs, {host['platform']}"
    yield from environment["versions"].items()
