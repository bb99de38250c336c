"""The status of the database server over time, a panel for each pool."""

from __future__ import annotations

from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.units import level
from loadtest.model.summary import PoolSummary, Summary
from loadtest.report.figures.connections_over_time import server_limit
from loadtest.report.figures.toolkit import level_panels
from loadtest.report.figures.toolkit.drawing import Drawing, for_every_pool, for_title
from loadtest.report.figures.toolkit.level_charts import levels_chart
from loadtest.report.figures.toolkit.svg import to_svg

HELP = (
    "If few of many connections run a query, the application holds them, not the database. The "
    "status is read once per second on a connection outside the pools, which counts, too. A "
    "connection that waits for a row lock counts as running. CPUs busy is the CPU use of the "
    "server's process."
)
ACTIVITY_STYLES: level_panels.Styles = {
    "threads_connected": ("connected", "thin"),
    "threads_running": ("running", "thick"),
    "row_lock_waiters": ("row-lock waits", "dashed"),
    "server_cpu": ("CPUs busy", "dotted"),
}


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if no server status was read in the measured time."""
    lines = level_panels.level_lines(measurements, ACTIVITY_STYLES)
    asked = [pool for pool in summary.pools if pool.server.running is not None]
    if not lines or not asked:
        return None
    limits = {number: server_limit(pool) for number, pool in enumerate(measurements.pools)}
    return Drawing(
        name="server",
        title="Connections running a query: "
        + for_title(asked, lambda pool: pool.server.running, _running),
        alt="Connections of the server: open, running a query, and waiting for row locks, and the "
        "server's CPU use, over time. Running a query on average: "
        + for_every_pool(asked, _running),
        help=HELP + level_panels.bands_help(lines),
        svg=to_svg(level_panels.draw_panels(lines, summary, ACTIVITY_STYLES, limits), "server"),
        question="What does the server see?",
        table=level_panels.levels_table(lines, summary, ACTIVITY_STYLES),
        chart=levels_chart(lines, summary, ACTIVITY_STYLES, limits),
    )


def _running(pool: PoolSummary) -> str:
    return level(pool.server.running or 0.0)
