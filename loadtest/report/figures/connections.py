"""Connections and waiting users through the run, a panel for each pool."""

from __future__ import annotations

from loadtest.analysis.measured import Measurements
from loadtest.analysis.settings import most_connections
from loadtest.analysis.units import count
from loadtest.analysis.values import Summary
from loadtest.report.figures import levels
from loadtest.report.figures.drawing import Drawing, each, every
from loadtest.report.figures.svg import INK, to_svg

HELP = (
    "The vertical scale is logarithmic above 1 and the same for all pools; beside each line stands "
    "its median. The dotted line is the most that the pool may open. Grey is warm-up and drain, "
    "which do not count. Users waiting at a full pool: it is the bottleneck, or it shields the "
    "database from being one."
)
STYLES: levels.Styles = {
    "waiting": ("users waiting", {"lw": 1.4, "ls": (0, (4, 1.5)), "color": INK}),
    "in_use": ("in use", {"lw": 2.2}),
    "idle": ("idle", {"lw": 1.2, "alpha": 0.55}),
    "overflow": ("overflow", {"lw": 1.8, "ls": (0, (1, 1))}),
}


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if no run knows of connections."""
    lines = levels.lines(measurements, STYLES)
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
        svg=to_svg(levels.panels(lines, summary, STYLES, _limits(measurements)), "connections"),
    )


def _limits(measurements: Measurements) -> list[int | None]:
    """The most connections that all processes of each pool may open."""
    most = [(most_connections(pool.settings), pool.processes) for pool in measurements.pools]
    return [None if limit is None else limit * processes for limit, processes in most]
