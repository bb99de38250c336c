"""Connections and waiting users through the run, a panel for each pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from loadtest.analysis.measured import Measurements
from loadtest.analysis.settings import most_connections
from loadtest.analysis.timeline import Timeline, timeline
from loadtest.analysis.units import count
from loadtest.analysis.units import level as as_level
from loadtest.analysis.values import Summary
from loadtest.report.figures import canvas
from loadtest.report.figures.drawing import Drawing, each, every
from loadtest.report.figures.svg import INK, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = (
    "The vertical scale is logarithmic above 1 and the same for all pools; beside each line stands "
    "its median. The dotted line is the most that the pool may open. Grey is warm-up and drain, "
    "which do not count. Users waiting at a full pool: it is the bottleneck, or it shields the "
    "database from being one."
)
STYLES: dict[str, tuple[str, dict[str, Any]]] = {
    "waiting": ("users waiting", {"lw": 1.4, "ls": (0, (4, 1.5)), "color": INK}),
    "in_use": ("in use", {"lw": 2.2}),
    "idle": ("idle", {"lw": 1.2, "alpha": 0.55}),
    "overflow": ("overflow", {"lw": 1.8, "ls": (0, (1, 1))}),
}
# Most pools have neither for most of the time, and a line at zero would only hide the others.
QUIET_AT_ZERO = ("idle", "overflow")


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if no run knows of connections."""
    lines = {n: timeline(pool, list(STYLES)) for n, pool in enumerate(measurements.pools)}
    lines = {number: line for number, line in lines.items() if line.levels}
    if not lines:
        return None
    shown = [summary.pools[number] for number in lines]
    peaks = each(
        shown,
        lambda pool: pool.connections.peak,
        lambda pool: count(pool.connections.peak),
    )
    return Drawing(
        name="connections",
        title=f"Open connections reach {peaks}",
        alt="Connections in use, idle and in overflow, and users waiting, over time. Open "
        f"connections reach {peaks}; users waiting at most "
        + every(shown, lambda pool: count(pool.connections.waiting_peak)),
        help=HELP,
        svg=to_svg(_figure(lines, summary), "connections"),
    )


def _figure(lines: Mapping[int, Timeline], summary: Summary) -> Figure:
    figure, rows = canvas.panels(len(lines), 1.2, left=0.5, right=1.3, gap=0.3)
    highest = max(level.max() for line in lines.values() for level in line.levels.values())
    top = 1.6 * max(float(highest), 1.0)
    first = min(line.seconds[0] for line in lines.values())
    last = max(line.seconds[-1] + 1 for line in lines.values())
    for axes, (number, line) in zip(rows, lines.items(), strict=True):
        pool = summary.pools[number]
        _scale(axes, top)
        axes.set_xlim(first, last)
        _shade_what_does_not_count(axes, line)
        _draw_levels(axes, line, canvas.colour(number))
        limit = most_connections(pool.pool)
        if limit is not None and limit <= top:
            axes.axhline(limit, color=INK, lw=0.9, ls=(0, (1, 2)))
        canvas.write(axes, 0, 1.1, pool.name, transform=axes.transAxes, weight="bold")
    for axes in rows[:-1]:
        axes.tick_params(axis="x", labelbottom=False)
    canvas.name_x(rows[-1], "seconds since measuring began (median of the rounds)")
    return figure


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


def _draw_levels(axes: Axes, line: Timeline, shade: str) -> None:
    edges = [*line.seconds, line.seconds[-1] + 1]
    warmup = sum(second < 0 for second in line.seconds)
    ends, styles = [], []
    for name, level in line.levels.items():
        label, style = STYLES[name]
        if name in QUIET_AT_ZERO and not level.any():
            continue
        styles.append({"color": shade, **style})
        axes.stairs(level, edges, baseline=None, **styles[-1])
        typical = float(np.median(level[warmup : warmup + max(round(line.measured), 1)]))
        ends.append((typical, f"{as_level(typical)} {label}"))
    canvas.label_ends(axes, ends, styles)
