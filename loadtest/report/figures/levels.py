"""Levels through the run, a panel for each pool: drawn alike, so that they can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from loadtest.analysis.measured import Measurements
from loadtest.analysis.timeline import Timeline, timeline
from loadtest.analysis.units import count
from loadtest.analysis.units import level as as_level
from loadtest.analysis.values import Summary
from loadtest.report.figures import canvas
from loadtest.report.figures.svg import FAULT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Styles = Mapping[str, tuple[str, dict[str, Any]]]
"""The levels to draw: what each is called and how its line looks."""

# Most pools have neither for most of the time, and a line at zero would only hide the others.
QUIET_AT_ZERO = ("idle", "overflow", "row_lock_waiters")


def lines(measurements: Measurements, styles: Styles) -> dict[int, Timeline]:
    """The timelines of the pools that have any of these levels, by the pools' numbers."""
    found = {n: timeline(pool, list(styles)) for n, pool in enumerate(measurements.pools)}
    return {number: line for number, line in found.items() if line.levels}


def panels(
    lines: Mapping[int, Timeline],
    summary: Summary,
    styles: Styles,
    limits: Sequence[int | None] = (),
) -> Figure:
    """The figure. limits: the most that a level can be with each pool, drawn as a dotted line."""
    figure, rows = canvas.panels(len(lines), 1.2, left=0.5, right=1.3, gap=0.3)
    highest = max(level.max() for line in lines.values() for level in line.levels.values())
    top = 1.6 * max(float(highest), 1.0) * _room_for_names(lines)
    first = min(line.seconds[0] for line in lines.values())
    last = max(line.seconds[-1] + 1 for line in lines.values())
    for axes, (number, line) in zip(rows, lines.items(), strict=True):
        pool = summary.pools[number]
        _scale(axes, top)
        axes.set_xlim(first, last)
        _shade_what_does_not_count(axes, line)
        _mark(axes, line, named=axes is rows[0])
        _draw_levels(axes, line, canvas.colour(number), styles)
        limit = limits[number] if limits else None
        if limit is not None and limit <= top:
            axes.axhline(limit, color=INK, lw=0.9, ls=(0, (1, 2)))
        canvas.write(axes, 0, 1.1, pool.name, transform=axes.transAxes, weight="bold")
    for axes in rows[:-1]:
        axes.tick_params(axis="x", labelbottom=False)
    canvas.name_x(rows[-1], "seconds since measuring began (median of the rounds)")
    return figure


def _room_for_names(lines: Mapping[int, Timeline]) -> float:
    """How much higher the scale goes for the names of stages and of faults to stand above all."""
    kinds = any(line.stages for line in lines.values()), any(line.faults for line in lines.values())
    return float(2 ** sum(kinds))


def _scale(axes: Axes, top: float) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    axes.set_yscale("symlog", linthresh=1, linscale=0.5)
    axes.set_ylim(-0.15, top)
    axes.set_yticks([0, *(10**n for n in range(6) if 10**n <= top)])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: count(y)))
    axes.yaxis.set_minor_locator(NullLocator())
    canvas.grid(axes, "y")


def _shade_what_does_not_count(axes: Axes, line: Timeline) -> None:
    first, last = axes.get_xlim()
    for low, high in ((first, 0), (line.measured, last)):
        if high > low:
            axes.axvspan(low, high, color=INK, alpha=0.07, lw=0)


def _mark(axes: Axes, line: Timeline, *, named: bool) -> None:
    """Where stages begin and faults last; their names stand in the topmost panel."""
    for begin, _, _ in line.stages[1:]:
        axes.axvline(begin, color=INK, lw=0.6, alpha=0.6)
    for begin, end, _ in line.faults:
        axes.axvspan(begin, end, color=FAULT, alpha=0.18, lw=0)
        axes.axvline(begin, color=FAULT, lw=0.8, alpha=0.6)  # of one that is over at once, all
    present = [marks for marks in (line.stages, line.faults) if marks and named]
    for height, marks in zip((0.99, 0.88), present, strict=False):
        at = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "top"}
        for begin, end, name in marks:
            canvas.write(axes, (begin + end) / 2, height, canvas.short(name), fontsize=6.5, **at)


def _draw_levels(axes: Axes, line: Timeline, shade: str, known: Styles) -> None:
    edges = [*line.seconds, line.seconds[-1] + 1]
    warmup = sum(second < 0 for second in line.seconds)
    ends, styles = [], []
    for name, level in line.levels.items():
        label, style = known[name]
        if name in QUIET_AT_ZERO and not level.any():
            continue
        styles.append({"color": shade, **style})
        axes.stairs(level, edges, baseline=None, **styles[-1])
        typical = float(np.median(level[warmup : warmup + max(round(line.measured), 1)]))
        ends.append((typical, f"{as_level(typical)} {label}"))
    canvas.label_ends(axes, ends, styles)
