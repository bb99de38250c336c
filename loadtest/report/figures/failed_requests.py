"""Failed requests by kind of error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.units import count, percent
from loadtest.model import error_kinds
from loadtest.model.summary import PoolSummary, Summary
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.drawing import Drawing, Table, for_title
from loadtest.report.figures.toolkit.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HELP = (
    "Failed requests as a share of all that ended, by kind of error. Failed requests do not count "
    "as throughput. The table of errors has the numbers."
)
MOST_KINDS = 6
# One error in a thousand must not fill the whole figure.
SMALLEST_AXIS = 0.01


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if there were no errors."""
    shown = [pool for pool in summary.pools if pool.errors.rate is not None]
    if not any(pool.errors.rate and pool.errors.by_kind for pool in shown):
        return None
    rates = for_title(
        shown,
        lambda pool: pool.errors.rate,
        lambda pool: percent(pool.errors.rate),
        link="of requests fail",
    )
    kinds = list(error_stack(shown))
    drawn = len(shown) > 1 or len(kinds) > 1
    return Drawing(
        name="errors",
        title=rates if drawn else f"{rates}: {kinds[0]}",
        alt=f"Failed requests by kind of error: {rates}",
        help=HELP,
        svg=to_svg(_figure(shown), "errors") if drawn else "",
        question="What failed?",
        table=_table(shown),
    )


def error_shares(pool: PoolSummary) -> dict[str, float]:
    """The share of requests that failed with each kind of error, the most frequent first."""
    total = sum(pool.errors.by_kind.values())
    rate = pool.errors.rate or 0.0
    return {kind: rate * number / total for kind, number in pool.errors.by_kind.items()}


def error_stack(pools: Sequence[PoolSummary]) -> dict[str, list[float]]:
    """The shares of the pools by the label of the error; rare kinds are added up."""
    parts = [error_shares(pool) for pool in pools]
    most = {kind: max(part.get(kind, 0.0) for part in parts) for part in parts for kind in part}
    ordered = sorted(most, key=lambda kind: -most[kind])
    named = ordered if len(ordered) <= MOST_KINDS else ordered[: MOST_KINDS - 1]
    values = {error_kinds.label(kind): [part.get(kind, 0.0) for part in parts] for kind in named}
    if len(named) < len(ordered):
        rest = ordered[len(named) :]
        values["rest"] = [sum(part.get(kind, 0.0) for kind in rest) for part in parts]
    return values


def _table(shown: Sequence[PoolSummary]) -> Table:
    rows = [
        (pool.name, error_kinds.label(kind), count(pool.errors.by_kind[kind]), percent(share))
        for pool in shown
        for kind, share in error_shares(pool).items()
    ]
    return Table(("pool", "error", "requests", "share of all requests"), tuple(rows))


def _figure(shown: Sequence[PoolSummary]) -> Figure:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    values = error_stack(shown)
    figure, axes = canvas.row_axes([pool.name for pool in shown], list(values))
    canvas.stacked_bars(figure, axes, values)
    totals = [sum(parts) for parts in zip(*values.values(), strict=True)]
    end = max(*totals, SMALLEST_AXIS)
    for row, total in enumerate(totals):
        canvas.write_text(axes, total + 0.012 * end, row, percent(total))
    axes.set_xlim(0, end)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: percent(x)))
    canvas.draw_grid(axes, "x")
    canvas.label_x(axes, "share of requests that failed")
    return figure
