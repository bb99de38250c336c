"""The load of the generator over time, with the limits of the trust gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from loadtest.analysis.findings import mostly_failing, trust_gate
from loadtest.analysis.findings.generator_causes import BUSY_SHARE, busy_share
from loadtest.analysis.levels_over_time import GENERATOR_LEVELS, LevelsOverTime
from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.units import duration, percent
from loadtest.model.summary import PoolSummary, Summary
from loadtest.model.trust_limits import BUSY_CPU
from loadtest.report.figures.toolkit import canvas, level_charts, level_panels
from loadtest.report.figures.toolkit.chart import (
    MOST_POINTS,
    Chart,
    ChartLine,
    ChartPanel,
    chart_stroke,
)
from loadtest.report.figures.toolkit.drawing import (
    FEW,
    Drawing,
    Table,
    few_names,
    for_every_pool,
    for_title,
)
from loadtest.report.figures.toolkit.svg import INK, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = (
    "Above a dotted line, the results may show the load generator's limit, not the pool's. CPU and "
    "event-loop lag are those of the busiest process, each second. A pool is not valid if its CPU "
    f"is above the dotted line for more than {percent(BUSY_SHARE)} of the time, or if "
    "its mean lag is above its dotted line (a tenth of the mean request, at least a millisecond). "
    "The results then show the load generator's limit, not the pool's."
)
CPU, LAG = GENERATOR_LEVELS
# Inches: the height of a line's label, and the gap between a panel and its heading.
_LABEL, _ABOVE = 0.15, 0.08
_TOO_BUSY = f"{percent(BUSY_CPU)} is too busy"
_DOTTED: dict[str, Any] = {"lw": 0.9, "ls": (0, (1, 2))}

Lines = Mapping[int, LevelsOverTime]


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure, for pools with a successful request; None if no generator was measured."""
    names: level_panels.Styles = {name: (name, "thick") for name in GENERATOR_LEVELS}
    found = level_panels.level_lines(measurements, names)
    lines = {
        number: line
        for number, line in found.items()
        if len(line.levels) == len(names)
        and not mostly_failing.never_succeeds(summary.pools[number])
    }
    if not lines:
        return None
    shown = [summary.pools[number] for number in lines]
    allowed = {number: trust_gate.allowed_lag(measurements.pools[number]) for number in lines}
    return Drawing(
        name="generator",
        title=_title(shown),
        alt="The load generator's CPU and event-loop lag over time. On average "
        + for_every_pool(shown, lambda pool: f"{_cpu(pool)} of a core"),
        help=HELP + level_panels.rounds_help(lines),
        svg=to_svg(_figure(lines, summary, allowed), "generator"),
        question="Did the load generator keep up?",
        table=_table(measurements, shown),
        chart=_chart(lines, summary, allowed),
    )


def _chart(lines: Lines, summary: Summary, allowed: Mapping[int, float | None]) -> Chart:
    lines = {number: line.thinned(MOST_POINTS) for number, line in lines.items()}
    most = [(most, f"{duration(most)} allowed") for most in {*allowed.values()} if most]
    cpu = ChartPanel(
        title="CPU, share of a core",
        **_levels_in_time(lines, summary, CPU),
        form="share",
        top=1.08 * _highest(lines, CPU, 1.0),
        limits=[(BUSY_CPU, _TOO_BUSY)],
    )
    lag = ChartPanel(
        title="event-loop lag",
        **_levels_in_time(lines, summary, LAG),
        form="seconds",
        scale="log",
        limits=most if len(most) <= FEW else [],
    )
    return Chart("seconds", "mean", [cpu, lag])


def _levels_in_time(lines: Lines, summary: Summary, level: str) -> dict[str, Any]:
    """A line for each pool over the seconds of all, and what happened in them."""
    longest = max(lines.values(), key=lambda line: line.measured)
    x = sorted({second for line in lines.values() for second in line.seconds})
    return {
        "x": x,
        "lines": [_chart_line(line, summary, number, level, x) for number, line in lines.items()],
        "spans": level_charts.time_spans(longest, lines.values()),
        "marks": level_charts.time_marks(longest),
    }


def _highest(lines: Lines, level: str, least: float) -> float:
    return max(least, *(float(np.nanmax(line.levels[level])) for line in lines.values()))


def _chart_line(
    line: LevelsOverTime, summary: Summary, number: int, level: str, x: Sequence[int]
) -> ChartLine:
    known = dict(zip(line.seconds, line.levels[level].tolist(), strict=True))
    name, values = summary.pools[number].name, [known.get(second) for second in x]
    return ChartLine(name, values, number, chart_stroke(number), line.typical(level))


def _cpu(pool: PoolSummary) -> str:
    return percent(pool.generator.cpu)


def _title(shown: Sequence[PoolSummary]) -> str:
    busy = [
        pool
        for pool in shown
        if any(finding.code in trust_gate.DISTURBANCES for finding in pool.findings)
    ]
    if busy:
        return f"With {few_names(busy)} the results show the load generator's limit, not the pool's"
    failed = [pool for pool in shown if not pool.valid and mostly_failing.fails_mostly(pool)]
    if failed:
        return f"With {few_names(failed)} failed requests overloaded the load generator"
    # A page that calls some pools invalid does not praise the measurement.
    head = "load generator kept up" if all(p.valid for p in shown) else "load generator's CPU"
    return f"The {head}: " + for_title(
        shown, lambda pool: pool.generator.cpu, _cpu, link="of its core"
    )


def _table(measurements: Measurements, shown: Sequence[PoolSummary]) -> Table:
    runs = {pool.name: pool for pool in measurements.pools}
    busy = f"time ≥ {percent(BUSY_CPU)}"
    headings = ("pool", "CPU", busy, "allowed", "lag, mean", "lag, allowed", "lag, p99")
    rows = [
        (
            pool.name,
            _cpu(pool),
            percent(busy_share(runs[pool.name])),
            percent(BUSY_SHARE),
            duration(trust_gate.lateness(runs[pool.name]).mean),
            duration(trust_gate.allowed_lag(runs[pool.name])),
            duration(pool.generator.lag_p99_seconds),
        )
        for pool in shown
    ]
    return Table(headings, tuple(rows))


def _figure(lines: Lines, summary: Summary, allowed: Mapping[int, float | None]) -> Figure:
    lines = {number: line.thinned(level_panels.MOST_STEPS) for number, line in lines.items()}
    names = [canvas.shortened(summary.pools[number].name) for number in lines]
    height = max(1.3, _LABEL * (len(lines) + 2))
    labels = [_TOO_BUSY, *(f"{name} 1.00 ms" for name in names)]
    right = 0.35 + canvas.text_width(labels)
    figure, (above, below) = canvas.panels(2, height, left=0.62, right=right, gap=0.34, above=-0.1)
    for axes in (above, below):
        longest = max(lines.values(), key=lambda line: line.measured)
        level_panels.frame(axes, lines.values(), longest, named=axes is above)
    _draw_cpu(above, lines, names)
    _draw_lag(below, lines, names, allowed)
    said = ("load generator CPU, share of a core", "event-loop lag, mean of each second")
    for axes, text in zip((above, below), said, strict=True):
        heading = 1 + _ABOVE / height
        canvas.write_text(axes, 0.0, heading, text, transform=axes.transAxes, va="bottom")
        canvas.draw_grid(axes, "y")
    above.tick_params(axis="x", labelbottom=False)
    level_panels.label_seconds(below)
    return figure


def _draw_cpu(axes: Axes, lines: Lines, names: Sequence[str]) -> None:
    from matplotlib.ticker import FuncFormatter

    ends = _draw(axes, lines, names, CPU, percent)
    axes.axhline(BUSY_CPU, color=INK, **_DOTTED)
    axes.set_ylim(0, 1.08 * _highest(lines, CPU, 1.0))
    axes.set_yticks([0, 0.5, 1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: percent(y)))
    limit = (BUSY_CPU, _TOO_BUSY)
    canvas.label_ends(axes, [*ends, limit], [*_styles(lines), {"color": INK, **_DOTTED}])


def _draw_lag(
    axes: Axes, lines: Lines, names: Sequence[str], allowed: Mapping[int, float | None]
) -> None:
    ends = _draw(axes, lines, names, LAG, duration)
    styles = _styles(lines)
    for number in lines:
        most = allowed[number]
        if most is None:
            continue
        dotted = {"color": canvas.pool_colour(number), **_DOTTED}
        axes.axhline(most, **dotted)
        if len(lines) <= FEW:
            ends.append((most, f"{duration(most)} allowed"))
            styles.append(dotted)
    canvas.log_seconds(axes, "y")
    canvas.label_ends(axes, ends, styles)


def _draw(
    axes: Axes, lines: Lines, names: Sequence[str], level: str, say: Any
) -> list[tuple[float, str]]:
    """Draw the line of each pool; returns the height and the text of its label."""
    least = canvas.SHORTEST if level == LAG else 0.0
    ends = []
    for name, (number, line) in zip(names, lines.items(), strict=True):
        style = {**canvas.line_style(number), "lw": 1.6}
        level_panels.draw_level(axes, line, level, style, least)
        typical = line.typical(level)
        ends.append((max(typical, least), f"{name} {say(typical)}"))
    return ends


def _styles(lines: Lines) -> list[dict[str, Any]]:
    return [{**canvas.line_style(number), "lw": 2.2} for number in lines]
