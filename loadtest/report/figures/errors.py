"""How many requests failed, and with what kinds of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.analysis import kinds
from loadtest.analysis.measured import Measurements
from loadtest.analysis.units import percent
from loadtest.analysis.values import PoolSummary, Summary
from loadtest.report.figures import canvas
from loadtest.report.figures.drawing import Drawing, each
from loadtest.report.figures.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HELP = (
    "Failed requests as a share of all that ended, by kind. What failed does not count as "
    "throughput; the table of errors has the numbers."
)


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if there were no errors."""
    shown = [pool for pool in summary.pools if pool.errors.rate is not None]
    if not any(pool.errors.by_kind for pool in shown):
        return None
    rates = each(shown, lambda pool: percent(pool.errors.rate), link="of requests fail")
    return Drawing(
        name="errors",
        title=rates,
        alt=f"Failed requests by kind of error: {rates}",
        help=HELP,
        svg=to_svg(_figure(shown), "errors"),
    )


def shares(pool: PoolSummary) -> dict[str, float]:
    """The share of requests that failed with each kind of error, the most frequent first."""
    total = sum(pool.errors.by_kind.values())
    rate = pool.errors.rate or 0.0
    return {kind: rate * number / total for kind, number in pool.errors.by_kind.items()}


def _figure(shown: list[PoolSummary]) -> Figure:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    parts = [shares(pool) for pool in shown]
    most = {kind: max(part.get(kind, 0.0) for part in parts) for part in parts for kind in part}
    ordered = sorted(most, key=lambda kind: -most[kind])
    figure, axes = canvas.rows([pool.name for pool in shown], legend=True)
    values = {kinds.label(kind): [part.get(kind, 0.0) for part in parts] for kind in ordered}
    canvas.stacked(axes, values)
    highest = max(sum(part.values()) for part in parts)
    for row, part in enumerate(parts):
        total = sum(part.values())
        canvas.write(axes, total + 0.012 * highest, row, percent(total))
    axes.set_xlim(0, highest)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: percent(x)))
    canvas.grid(axes, "x")
    canvas.name_x(axes, "share of requests that failed")
    return figure
