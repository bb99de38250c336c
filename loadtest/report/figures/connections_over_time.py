"""Connections and waiting users through the run, a panel for each pool."""

from __future__ import annotations

from loadtest.analysis.pool_runs import Measurements, PoolRuns
from loadtest.analysis.units import count
from loadtest.model.summary import Summary
from loadtest.report.figures.toolkit import level_panels
from loadtest.report.figures.toolkit.drawing import Drawing, for_every_pool, for_title
from loadtest.report.figures.toolkit.level_charts import levels_chart
from loadtest.report.figures.toolkit.svg import to_svg

HELP = (
    "If users wait at a full pool, the pool is the bottleneck, or it protects the database from "
    "becoming one. The vertical scale is logarithmic above 1 and the same for all pools. The "
    "number beside a line is its mean. Dotted lines are limits, drawn where they are near: the "
    "connections that the pool keeps, that it may open, and that the server accepts. Grey areas "
    "are warm-up and drain, which do not count."
)
CONNECTION_STYLES: level_panels.Styles = {
    "waiting": ("users waiting", "dashed"),
    "in_use": ("in use", "thick"),
    "idle": ("idle", "thin"),
    "overflow": ("overflow", "dotted"),
}


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if no run has levels of connections."""
    lines = level_panels.level_lines(measurements, CONNECTION_STYLES)
    if not lines:
        return None
    shown = [summary.pools[number] for number in lines]
    peaks = for_title(
        shown,
        lambda pool: pool.connections.peak,
        lambda pool: count(pool.connections.peak),
    )
    limits = {n: [*pool_limits(p), *server_limit(p)] for n, p in enumerate(measurements.pools)}
    return Drawing(
        name="connections",
        title=f"Open connections reach {peaks}",
        alt="Connections in use, idle and in overflow, and users waiting, over time. Open "
        f"connections reach {peaks}; users waiting at most "
        + for_every_pool(shown, lambda pool: count(pool.connections.waiting_peak)),
        help=HELP + level_panels.bands_help(lines),
        svg=to_svg(
            level_panels.draw_panels(lines, summary, CONNECTION_STYLES, limits), "connections"
        ),
        question="What happens over time?",
        table=level_panels.levels_table(lines, summary, CONNECTION_STYLES),
        chart=levels_chart(lines, summary, CONNECTION_STYLES, limits),
    )


def pool_limits(pool: PoolRuns) -> list[tuple[int, str]]:
    """How many connections the pools of all processes keep, and how many they may open."""
    kept, most = pool.settings.kept_connections, pool.settings.most_connections
    each_ = f" × {pool.processes}" if pool.processes > 1 else ""
    limits = [(kept * pool.processes, f"pool_size{each_}")] if kept else []
    if most is not None and most != kept:
        limits.append((most * pool.processes, "with overflow"))
    return limits


def server_limit(pool: PoolRuns) -> list[tuple[int, str]]:
    """How many connections the server accepts, if known."""
    accepted = pool.header.server.max_connections
    return [(accepted, "max_connections")] if accepted else []
