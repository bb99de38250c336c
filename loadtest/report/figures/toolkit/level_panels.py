"""Levels over time, a panel for each pool, with the same scales."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from loadtest.analysis.columns import Levels
from loadtest.analysis.levels_over_time import LevelsOverTime, levels_over_time
from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.units import NO_VALUE, count
from loadtest.analysis.units import level as as_level
from loadtest.model.summary import Summary
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.chart import Stroke
from loadtest.report.figures.toolkit.drawing import Table
from loadtest.report.figures.toolkit.svg import FAULT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Styles = Mapping[str, tuple[str, Stroke]]
"""The levels to draw: the label and the stroke of each."""
Limits = Sequence[tuple[int, str]]
"""Limits of a level, with their labels."""

_GAPS = " Where a line has a gap, there is no data."
_ROUNDS = " A line is the mean of the rounds"
_BANDS = ", the shaded area around the thick one is their range"
# How a figure draws each stroke; a dashed line has the colour of text.
_STROKES: Mapping[Stroke, dict[str, Any]] = {
    "thick": {"lw": 2.2},
    "thin": {"lw": 1.2, "alpha": 0.55},
    "dashed": {"lw": 1.4, "ls": (0, (4, 1.5)), "color": INK},
    "dotted": {"lw": 1.8, "ls": (0, (1, 1))},
}
# These are mostly zero, and a line at zero would hide the others.
QUIET_AT_ZERO = ("idle", "overflow", "row_lock_waiters")
# Limits of what the width of the figure can show, and of the rows of a table.
MOST_STEPS = 200
MOST_ROWS = 20
# Limits further away than this factor are not drawn.
NEAR = 5
_LIMIT_STYLE: dict[str, Any] = {"color": INK, "lw": 0.9, "ls": (0, (1, 2))}


def level_lines(measurements: Measurements, styles: Styles) -> dict[int, LevelsOverTime]:
    """The timelines of the pools that have any of these levels, by the pools' numbers."""
    found = {n: levels_over_time(pool, list(styles)) for n, pool in enumerate(measurements.pools)}
    return {number: line for number, line in found.items() if line.levels}


def draw_panels(
    lines: Mapping[int, LevelsOverTime],
    summary: Summary,
    styles: Styles,
    limits: Mapping[int, Limits],
) -> Figure:
    """The figure. limits: of each pool, drawn as dotted lines where they are near."""
    lines = {number: line.thinned(MOST_STEPS) for number, line in lines.items()}
    figure, rows = canvas.panels(len(lines), 1.2, left=0.5, right=1.6, gap=0.3)
    top, near = heights(lines, limits)
    top *= _room_for_names(lines)
    for axes, (number, line) in zip(rows, lines.items(), strict=True):
        _scale(axes, top)
        frame(axes, lines.values(), line, named=axes is rows[0])
        _draw_levels(axes, line, canvas.pool_colour(number), styles, near[number])
        name = summary.pools[number].name
        canvas.write_text(axes, 0, 1.1, name, transform=axes.transAxes, weight="bold")
    for axes in rows[:-1]:
        axes.tick_params(axis="x", labelbottom=False)
    label_seconds(rows[-1])
    return figure


def heights(
    lines: Mapping[int, LevelsOverTime], limits: Mapping[int, Limits]
) -> tuple[float, dict[int, Limits]]:
    """The top of the scale, the same for all pools, and the limits of each that are near."""
    highest = max(1.0, *(np.nanmax(x) for line in lines.values() for x in line.levels.values()))
    near: dict[int, Limits] = {
        number: [(v, name) for v, name in limits[number] if v <= NEAR * highest] for number in lines
    }
    top = max(1.6 * highest, *(1.25 * v for found in near.values() for v, _ in found), 0)
    return float(top), near


def is_quiet(name: str, level: Levels) -> bool:
    """Whether a level is not drawn, because it is zero all the time."""
    return name in QUIET_AT_ZERO and not np.nan_to_num(level).any()


def levels_table(lines: Mapping[int, LevelsOverTime], summary: Summary, styles: Styles) -> Table:
    """The levels in stretches of time; in brackets the lowest and the highest round."""
    known = [name for name in styles if any(_tells(name, line) for line in lines.values())]
    rows = [
        (
            summary.pools[number].name,
            f"{begin} to {end}",
            *(_cell(line, name, place) for name in known),
        )
        for number, line in ((n, line.thinned(MOST_ROWS)) for n, line in lines.items())
        for place, (begin, end) in enumerate(zip(line.edges, line.edges[1:], strict=False))
    ]
    return Table(("pool", "seconds", *(styles[name][0] for name in known)), tuple(rows))


def _tells(name: str, line: LevelsOverTime) -> bool:
    return name in line.levels and not is_quiet(name, line.levels[name])


def _cell(line: LevelsOverTime, name: str, place: int) -> str:
    if name not in line.levels:
        return as_level(0)
    low, middle, high = (
        _known(float(level[name][place])) for level in (line.lowest, line.levels, line.highest)
    )
    return middle if low == high else f"{middle} ({low} – {high})"


def _known(level: float) -> str:
    return NO_VALUE if math.isnan(level) else as_level(level)


def bands_help(lines: Mapping[int, LevelsOverTime]) -> str:
    """How to read lines of several rounds, the area around the thick one, and gaps."""
    return rounds_help(lines, _BANDS)


def rounds_help(lines: Mapping[int, LevelsOverTime], more: str = "") -> str:
    """How to read lines of several rounds, and what gaps are, if there are any."""
    of = f"{_ROUNDS}{more}." if any(line.rounds > 1 for line in lines.values()) else ""
    gaps = any(np.isnan(level).any() for line in lines.values() for level in line.levels.values())
    return of + (_GAPS if gaps else "")


def label_seconds(axes: Axes) -> None:
    """Label the time axis."""
    canvas.label_x(axes, "seconds since measuring began", loc="left")


def frame(
    axes: Axes, all_lines: Collection[LevelsOverTime], line: LevelsOverTime, *, named: bool
) -> None:
    """Draw the time axis, the same for all, with warm-up, drain, stages and faults."""
    from matplotlib.ticker import MaxNLocator

    first = min(other.seconds[0] for other in all_lines)
    last = max(other.edges[-1] for other in all_lines)
    axes.set_xlim(first, last)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for low, high in ((first, 0), (line.measured, last)):
        if high > low:
            axes.axvspan(low, high, color=INK, alpha=0.07, lw=0)
    _mark(axes, line, named=named)


def _room_for_names(lines: Mapping[int, LevelsOverTime]) -> float:
    """The factor by which the scale grows to make room for names of stages and faults."""
    kinds = any(line.stages for line in lines.values()), any(line.faults for line in lines.values())
    return float(2 ** sum(kinds))


def _scale(axes: Axes, top: float) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    axes.set_yscale("symlog", linthresh=1, linscale=0.5)
    axes.set_ylim(-0.15, top)
    axes.set_yticks([0, *(10**n for n in range(6) if 10**n <= top)])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: count(y)))
    axes.yaxis.set_minor_locator(NullLocator())
    canvas.draw_grid(axes, "y")


def _mark(axes: Axes, line: LevelsOverTime, *, named: bool) -> None:
    """Mark stages and faults, with their names in the topmost panel."""
    for begin, _, _ in line.stages[1:]:
        axes.axvline(begin, color=INK, lw=0.6, alpha=0.6)
    for begin, end, _ in line.faults:
        axes.axvspan(begin, end, color=FAULT, alpha=0.18, lw=0)
        axes.axvline(begin, color=FAULT, lw=0.8, alpha=0.6)  # the only mark of an instant fault
    present = [marks for marks in (line.stages, line.faults) if marks and named]
    for height, marks in zip((0.99, 0.88), present, strict=False):
        _name(axes, height, marks)


def _name(axes: Axes, height: float, marks: Sequence[tuple[float, float, str]]) -> None:
    """Write names over their middle, except names that would cover the one before."""
    low, high = axes.get_xlim()
    inch = (high - low) / (axes.get_position().width * canvas.WIDTH)
    at = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "top"}
    free = -math.inf
    for begin, end, name in marks:
        shown, middle = canvas.shortened(name), (begin + end) / 2
        half = inch * canvas.text_width([shown]) / 2
        if middle - half >= free:
            canvas.write_text(axes, middle, height, shown, **at)
            free = middle + half


def _draw_levels(
    axes: Axes, line: LevelsOverTime, shade: str, known: Styles, limits: Limits
) -> None:
    ends = [(float(value), f"{count(value)} {name}") for value, name in limits]
    styles: list[dict[str, Any]] = [_LIMIT_STYLE] * len(ends)
    for value, _ in limits:
        axes.axhline(value, **_LIMIT_STYLE)
    for name, level in line.levels.items():
        label, stroke = known[name]
        if is_quiet(name, level):
            continue
        styles.append({"color": shade, **_STROKES[stroke]})
        draw_level(axes, line, name, styles[-1], band=stroke == "thick")
        typical = line.typical(name)
        ends.append((typical, f"{as_level(typical)} {label}"))
    canvas.label_ends(axes, ends, styles)


def draw_level(
    axes: Axes,
    line: LevelsOverTime,
    name: str,
    style: Mapping[str, Any],
    least: float = 0.0,
    *,
    band: bool = False,
) -> None:
    """Draw a level as steps.

    least: the smallest value drawn, if the scale has no zero. band: whether the range of all rounds
    is behind it; ranges of several lines would hide each other.
    """
    low, level, high = (
        np.maximum(values[name], least) for values in (line.lowest, line.levels, line.highest)
    )
    if band and (high > low).any():
        area: dict[str, Any] = {"step": "post", "color": style["color"], "alpha": 0.15, "lw": 0}
        axes.fill_between(line.edges, [*low, low[-1]], [*high, high[-1]], **area)
    canvas.draw_steps(axes, level, line.edges, style)
