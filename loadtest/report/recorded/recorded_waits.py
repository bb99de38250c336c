"""Waits and timeouts of a recorded pool over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from loadtest.analysis.recordings.clock_time import clock_of
from loadtest.analysis.recordings.recorded_pool import RecordedPool
from loadtest.analysis.units import count, duration, marked_duration, plural, round_duration
from loadtest.model.distribution import Distribution
from loadtest.model.interval import SECOND
from loadtest.model.recording_summary import RecordedPoolSummary, TimeSpan
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.chart import (
    MOST_POINTS,
    Chart,
    ChartLine,
    ChartPanel,
    Stroke,
)
from loadtest.report.figures.toolkit.drawing import Drawing, Table
from loadtest.report.figures.toolkit.svg import to_svg
from loadtest.report.recorded.time_axis import chart_spans, draw_time_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WAITS_HELP = (
    "The median, the p95 and the longest wait for a connection, on a logarithmic scale; a wait "
    "counts when it ends, also with a timeout. Bars are checkouts that timed out."
)
_MOST_STEPS, _MOST_ROWS = 120, 20
# A checkout that waits for nothing takes less (s).
_UNNOTICED = 0.001
_STYLES: dict[str, dict[str, Any]] = {
    "max": {"lw": 1.0, "alpha": 0.55},
    "p95": {"lw": 2.0},
    "p50": {"lw": 1.3, "ls": (0, (1, 1))},
}


class WaitStep(NamedTuple):
    """The waits from one UTC second up to another; without a wait, the times are None."""

    begin: int
    end: int
    waits: int
    p50: float | None
    p95: float | None
    max: float | None
    timeouts: int


def draw_waits(
    pool: RecordedPool, summary: RecordedPoolSummary, name: str, number: int = 0
) -> Drawing | None:
    """The figure under this name; None if no wait ended. number: of the pool, as its colour.

    Without a picture if no checkout waited.
    """
    steps = [step for step in _steps(pool, _MOST_STEPS) if step.waits]
    if not steps:
        return None
    waits, timeouts = summary.checkout.wait_seconds, summary.checkout.timeouts
    ended = f", and {plural(timeouts, 'checkout')} timed out" if timeouts else ""
    less = round_duration(max(waits.p95 or 0.0, _UNNOTICED))
    title = f"95 % of checkouts waited less than {less}{ended}"
    if "p95" in waits.at_least:
        title = f"The p95 of the waits is {marked_duration(waits, 'p95')}{ended}"
    waited = timeouts > 0 or (waits.max or 0.0) >= _UNNOTICED
    return Drawing(
        name=name,
        title=title if waited else f"No checkout waited for {round_duration(_UNNOTICED)} or longer",
        alt=f"Median, p95 and longest waits over time. {title}. The longest wait is "
        f"{marked_duration(waits, 'max')}.",
        help=WAITS_HELP if waited else "",
        svg=to_svg(_figure(steps, summary, number), name) if waited else "",
        question="How long did checkouts wait?",
        table=_table(_steps(pool, _MOST_ROWS)),
        chart=_chart(pool, summary, number) if waited else None,
    )


def _steps(pool: RecordedPool, most: int) -> list[WaitStep]:
    """The blocks, several of them together if they are too many."""
    blocks, width = pool.blocks, pool.block_seconds
    together = -(-max(1, pool.by_second.length // width) // most) * width
    groups: dict[int, list[int]] = {}
    for number, block in enumerate(blocks):
        groups.setdefault(block.second // together, []).append(number)
    found = []
    for numbers in groups.values():
        own = [blocks[number] for number in numbers]
        times = sum((one.histograms.get("wait", Distribution()) for one in own), Distribution())
        p50, p95 = times.percentiles_seconds([50, 95])
        longest = times.max / SECOND if times.count else None
        timeouts = sum(one.counters["timeouts"] for one in own)
        span = own[0].second, own[-1].second + width
        found.append(WaitStep(*span, times.count, p50, p95, longest, timeouts))
    return found


def _figure(steps: list[WaitStep], summary: RecordedPoolSummary, number: int) -> Figure:
    styles = {n: {"color": canvas.pool_colour(number), **how} for n, how in _STYLES.items()}
    failed = any(step.timeouts for step in steps)
    figure, panels = canvas.panels(2 if failed else 1, 1.5, left=0.68, right=1.05, gap=0.15)
    axes = panels[0]
    labels = []
    for name, style in styles.items():
        for part in without_gaps(steps, summary.gaps):
            middles = [(step.begin + step.end) / 2 for step in part]
            axes.plot(middles, _drawn(part, name), marker="." if len(part) == 1 else "", **style)
        labels.append((float(np.median(_drawn(steps, name))), name))
    canvas.log_seconds(axes, "y")
    canvas.draw_grid(axes, "y")
    canvas.label_ends(axes, labels, list(styles.values()))
    if failed:
        _draw_timeouts(panels[1], steps, canvas.pool_colour(number))
    for panel in panels:
        draw_time_axis(panel, summary, labelled=panel is panels[-1])
    return figure


def _chart(pool: RecordedPool, summary: RecordedPoolSummary, number: int) -> Chart:
    """The waits, and the timeouts if there were any; lines end where no process recorded."""
    steps = [step for step in _steps(pool, MOST_POINTS) if step.waits]
    shown: list[tuple[float, WaitStep | None]] = []
    for part in without_gaps(steps, summary.gaps):
        shown += [((step.begin + step.end) / 2, step) for step in part]
        shown.append((float(part[-1].end), None))
    x, spans = [place for place, _ in shown[:-1]], chart_spans(summary)

    def line(name: str, rest: float | None, stroke: Stroke) -> ChartLine:
        values = [getattr(step, name) if step else None for _, step in shown[:-1]]
        return ChartLine(name, values, number, stroke, rest)

    waits, timeouts = summary.checkout.wait_seconds, summary.checkout.timeouts
    strokes: dict[str, Stroke] = {"max": "thin", "p95": "thick", "p50": "dotted"}
    lines = [line(name, getattr(waits, name), stroke) for name, stroke in strokes.items()]
    panels = [ChartPanel("wait", x, lines, form="seconds", scale="log", spans=spans)]
    if any(step.timeouts for step in steps):
        ended = line("timeouts", timeouts, "thick")
        panels.append(ChartPanel("timeouts", x, [ended], spans=spans))
    return Chart("clock", "whole time", panels)


def without_gaps(steps: Sequence[WaitStep], gaps: Sequence[TimeSpan]) -> list[list[WaitStep]]:
    """The steps in parts between which no process recorded."""
    parts = [[*steps[:1]]]
    for one, after in pairwise(steps):
        if any(gap.begin < after.begin and gap.end > one.end for gap in gaps):
            parts.append([])
        parts[-1].append(after)
    return parts


def _drawn(steps: Sequence[WaitStep], name: str) -> list[float]:
    return [max(getattr(step, name), canvas.SHORTEST) for step in steps]


def _draw_timeouts(axes: Axes, steps: list[WaitStep], shade: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    begins, widths = [s.begin for s in steps], [s.end - s.begin for s in steps]
    heights = [s.timeouts for s in steps]
    axes.bar(begins, heights, widths, align="edge", color=shade, lw=0)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: count(y)))
    canvas.draw_grid(axes, "y")
    canvas.write_text(axes, 1.03, 0.5, "timeouts", transform=axes.transAxes)


def _table(steps: list[WaitStep]) -> Table:
    clock = clock_of(steps[0].begin, steps[-1].end)
    rows = [
        (
            clock(step.begin),
            *map(duration, (step.p50, step.p95, step.max)),
            count(step.waits),
            count(step.timeouts),
        )
        for step in steps
    ]
    return Table(("from (UTC)", "p50", "p95", "max", "waits", "timeouts"), tuple(rows))
