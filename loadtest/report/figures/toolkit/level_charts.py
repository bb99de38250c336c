"""Levels over time as charts to be explored: the lines of the panels in `level_panels`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from loadtest.analysis.levels_over_time import LevelsOverTime
from loadtest.model.summary import Summary
from loadtest.report.figures.toolkit import level_panels
from loadtest.report.figures.toolkit.chart import MOST_POINTS, Chart, ChartLine, ChartPanel, Stroke


def levels_chart(
    lines: Mapping[int, LevelsOverTime],
    summary: Summary,
    styles: level_panels.Styles,
    limits: Mapping[int, level_panels.Limits],
) -> Chart:
    """The chart: a panel for each pool. limits: of each pool, drawn where they are near."""
    lines = {number: line.thinned(MOST_POINTS) for number, line in lines.items()}
    top, near = level_panels.heights(lines, limits)
    panels = [
        ChartPanel(
            title=summary.pools[number].name,
            x=line.seconds,
            lines=[
                _chart_line(line, name, number, styles[name])
                for name, level in line.levels.items()
                if not level_panels.is_quiet(name, level)
            ],
            scale="symlog",
            top=top,
            pool=number,
            limits=near[number],
            spans=time_spans(line, lines.values()),
            marks=time_marks(line),
        )
        for number, line in lines.items()
    ]
    return Chart("seconds", "mean", panels)


def _chart_line(
    line: LevelsOverTime, name: str, number: int, style: tuple[str, Stroke]
) -> ChartLine:
    label, stroke = style
    band = stroke == "thick" and line.rounds > 1
    return ChartLine(
        label=label,
        values=line.levels[name],
        pool=None if stroke == "dashed" else number,
        stroke=stroke,
        rest=line.typical(name),
        low=line.lowest[name] if band else (),
        high=line.highest[name] if band else (),
    )


def time_spans(
    line: LevelsOverTime, all_lines: Collection[LevelsOverTime]
) -> list[tuple[float, float, str]]:
    """The times to shade in a chart: warm-up, drain and faults."""
    first = min(other.seconds[0] for other in all_lines)
    last = max(other.edges[-1] for other in all_lines)
    aside = [(b, e, "aside") for b, e in ((first, 0), (line.measured, last)) if e > b]
    return [*aside, *((begin, end, "fault") for begin, end, _ in line.faults)]


def time_marks(line: LevelsOverTime) -> list[tuple[float, str]]:
    """Where stages and faults begin."""
    return [(begin, name) for begin, _, name in [*line.stages, *line.faults]]
