"""Successful requests per second: a dot per round, the mean and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.units import NO_VALUE, rate
from loadtest.model.summary import PoolSummary, Summary
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.drawing import Drawing, Table, for_every_pool, valid_or_all
from loadtest.report.figures.toolkit.svg import to_svg
from loadtest.report.pool_table import throughput_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = (
    "Each dot is a round, the vertical line the mean, the bar its 95 % interval. Bars far apart "
    "show a difference. Where bars overlap, the table of comparisons is more exact: it pairs the "
    "rounds."
)
# A smaller ratio of means is not mentioned, whatever the intervals.
SAME_THROUGHPUT = 1.02
HELP_OF_FEW = (
    "Each dot is a round, the vertical line the mean. Fewer than three rounds have no interval."
)


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if no pool measured anything, or the figure of sizes shows it."""
    shown = [pool for pool in summary.pools if pool.rounds]
    if not shown or summary.search or sizes_differ(summary):
        return None
    # One dot says no more than the title.
    several = len(shown) > 1 or shown[0].rounds > 1
    of_rounds = HELP if any(pool.shown_ci95 for pool in shown) else HELP_OF_FEW
    return Drawing(
        name="throughput",
        title=throughput_title(shown),
        alt="Successful requests per second: "
        + for_every_pool(shown, lambda pool: rate(pool.throughput.per_second)),
        help=of_rounds if several else "",
        svg=to_svg(_figure(measurements, summary), "throughput") if several else "",
        question="How much work gets done?",
        table=_table(measurements, shown),
    )


def sizes_differ(summary: Summary) -> bool:
    """Whether pools may open different numbers of connections, and no search draws that."""
    sizes = {pool.connections.allowed for pool in summary.pools if pool.rounds}
    return len(sizes) > 1 and summary.search is None


def throughput_title(shown: Sequence[PoolSummary]) -> str:
    """The throughput of the best and the worst pool."""
    ranked = sorted(valid_or_all(shown), key=lambda pool: pool.throughput.per_second or 0.0)
    best, worst = ranked[-1], ranked[0]
    said = f"{best.name} does {rate(best.throughput.per_second)} requests per second"
    most, least = best.throughput.per_second or 0.0, worst.throughput.per_second or 0.0
    if len(ranked) == len(shown) > 1 and least and most < SAME_THROUGHPUT * least:
        together = "Both" if len(shown) == 2 else "All"
        return f"{together} pools do about {rate(most)} requests per second"
    if not least or most < SAME_THROUGHPUT * least:
        return said
    # No ratio: if rounds differ much, the ratio of means is not the one that decides.
    return f"{said}, {worst.name} {rate(least)}"


def _table(measurements: Measurements, shown: Sequence[PoolSummary]) -> Table:
    runs = {pool.name: pool for pool in measurements.pools}
    rows = [
        (
            pool.name,
            rate(pool.throughput.per_second),
            throughput_interval(pool) or NO_VALUE,
            " · ".join(rate(round_.throughput) for round_ in runs[pool.name].rounds),
        )
        for pool in shown
    ]
    return Table(("pool", "ok/s", "interval (95 %)", "in each round"), tuple(rows))


def _figure(measurements: Measurements, summary: Summary) -> Figure:
    shown = [number for number, pool in enumerate(summary.pools) if pool.rounds]
    from matplotlib.ticker import FuncFormatter

    figure, axes = canvas.row_axes([summary.pools[number].name for number in shown])
    for row, number in enumerate(shown):
        dots = [round_.throughput for round_ in measurements.pools[number].rounds]
        beside = row + (np.linspace(-0.2, 0.2, len(dots)) if len(dots) > 1 else np.zeros(1))
        shade, pool = canvas.pool_colour(number), summary.pools[number]
        axes.plot(dots, beside, "o", color=shade, ms=4, alpha=0.55, mew=0)
        _mean_with_interval(axes, row, pool, shade)
        text = rate(pool.throughput.per_second)
        canvas.write_text(
            axes, 1.02, row, text, transform=axes.get_yaxis_transform(), weight="bold"
        )
    axes.set_xlim(0, 1.04 * max(axes.dataLim.x1, 1.0))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
    canvas.draw_grid(axes, "x")
    canvas.label_x(axes, "successful requests per second")
    return figure


def _mean_with_interval(axes: Axes, row: int, pool: PoolSummary, shade: str) -> None:
    middle, ci95 = pool.throughput.per_second or 0.0, pool.shown_ci95
    if ci95:
        low, high = max(ci95[0], 0.0), ci95[1]
        axes.plot([low, high], [row, row], color=shade, lw=2, solid_capstyle="butt")
    axes.plot([middle, middle], [row - 0.26, row + 0.26], color=shade, lw=2.2)
