"""What the database server says of itself through the run, a panel for each pool."""

from __future__ import annotations

from loadtest.analysis.measured import Measurements
from loadtest.analysis.units import level, listed
from loadtest.analysis.values import Summary
from loadtest.report.figures import levels
from loadtest.report.figures.drawing import Drawing
from loadtest.report.figures.svg import INK, to_svg

HELP = (
    "Asked once a second on a connection outside the pools, which is counted, too. Sessions that "
    "wait for row locks count as running. Few running of many connected: the connections are held "
    "by the application, not by the database. The processors are those of the server's process."
)
STYLES: levels.Styles = {
    "threads_connected": ("connected", {"lw": 1.2, "alpha": 0.55}),
    "threads_running": ("running", {"lw": 2.2}),
    "row_lock_waiters": ("row-lock waits", {"lw": 1.4, "ls": (0, (4, 1.5)), "color": INK}),
    "server_cpu": ("CPUs busy", {"lw": 1.8, "ls": (0, (1, 1))}),
}


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if no server was asked in the measured time."""
    lines = levels.lines(measurements, STYLES)
    running = [(pool.name, pool.server.running) for pool in summary.pools]
    means = [f"{level(mean)} with {name}" for name, mean in running if mean is not None]
    if not lines or not means:
        return None
    said = listed(means)
    return Drawing(
        name="server",
        title=f"Sessions at work in the database: {said}",
        alt="Sessions connected to the database, running, and waiting for row locks, and the "
        f"server's processors in use, over time. On average run {said}",
        help=HELP,
        svg=to_svg(levels.panels(lines, summary, STYLES), "server"),
    )
