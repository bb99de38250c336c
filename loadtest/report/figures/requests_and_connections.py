"""The requests of the load and the connections of the application, on one time axis."""

from __future__ import annotations

from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.units import level, rate
from loadtest.model.summary import PoolSummary, Summary
from loadtest.report.figures.connections_over_time import pool_limits
from loadtest.report.figures.toolkit import level_panels
from loadtest.report.figures.toolkit.drawing import Drawing, for_every_pool, for_title
from loadtest.report.figures.toolkit.level_charts import levels_chart
from loadtest.report.figures.toolkit.svg import to_svg

HELP = (
    "If requests become fewer while checkouts wait, the pool holds them up; if they do not wait, "
    "something else does. The load generator counts the requests that ended per second. The "
    "application's processes count connections in use and checkouts waiting, all processes "
    "together. The vertical scale is logarithmic above 1 and the same for all pools. The number "
    "beside a line is its mean. The dotted line is what the pools may open."
)
REQUEST_STYLES: level_panels.Styles = {
    "requests": ("requests/s", "thick"),
    "in_use": ("in use", "dotted"),
    "waiting": ("waiting", "dashed"),
}


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if the runs drove no application."""
    shown = [pool for pool in summary.pools if pool.application]
    if not shown:
        return None
    lines = level_panels.level_lines(measurements, REQUEST_STYLES)
    limits = {n: pool_limits(pool)[-1:] for n, pool in enumerate(measurements.pools)}
    return Drawing(
        name="requests",
        title="Requests per second: "
        + for_title(shown, lambda pool: pool.throughput.per_second, _throughput),
        alt="Requests per second, connections in use and checkouts waiting, over time. Requests "
        f"that succeeded per second: {for_every_pool(shown, _throughput)}; connections in use on "
        f"average: {for_every_pool(shown, _in_use)}.",
        help=HELP + level_panels.bands_help(lines),
        svg=to_svg(level_panels.draw_panels(lines, summary, REQUEST_STYLES, limits), "requests"),
        question="Do requests wait for connections?",
        table=level_panels.levels_table(lines, summary, REQUEST_STYLES),
        chart=levels_chart(lines, summary, REQUEST_STYLES, limits),
    )


def _throughput(pool: PoolSummary) -> str:
    return rate(pool.throughput.per_second)


def _in_use(pool: PoolSummary) -> str:
    return level(pool.application.in_use if pool.application else 0.0)
