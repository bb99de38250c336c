"""The mean time of each phase between asking for a connection and returning it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from loadtest.analysis.pool_runs import Measurements, PoolRuns
from loadtest.analysis.units import duration, round_duration
from loadtest.model.summary import PoolSummary, Summary
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.drawing import (
    Drawing,
    Table,
    for_every_pool,
    pools_by_word,
    valid_or_all,
)
from loadtest.report.figures.toolkit.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HELP = (
    "If the hold grows with the number of connections, transactions hinder each other inside the "
    "database. Waiting is the time in the pool's queue. Holding is the time of the application and "
    "the database. Resetting, the rollback at the end, is the last part of the hold. "
    "Connecting, reconnecting and pinging are averages over all checkouts; most need none of them."
)
PHASES = ("waiting", "connecting", "reconnecting", "pinging", "holding", "resetting")
# Each phase looks the same in every figure.
PHASE_LOOKS = dict(zip(PHASES, (canvas.PART_LOOKS[n] for n in (0, 1, 5, 3, 4, 2)), strict=True))

Parts = Mapping[str, Mapping[str, float]]


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if there were no checkouts."""
    shown = [pool for pool in summary.pools if pool.checkout.count]
    runs = {pool.name: pool for pool in measurements.pools}
    parts = {pool.name: _mean_times(pool, runs[pool.name]) for pool in shown}
    if not any(sum(part.values()) for part in parts.values()):
        return None
    # The only phase of the only pool is in the title.
    drawn = len(parts) > 1 or len(_visible(parts)) > 1
    return Drawing(
        name="phases",
        title="Most time goes into "
        + pools_by_word(valid_or_all(shown), lambda pool: _longest(parts[pool.name])),
        alt="Mean time waiting for a connection and holding it: "
        + for_every_pool(shown, _waiting_and_holding),
        help=HELP,
        svg=to_svg(_figure(parts), "phases") if drawn else "",
        question="Where does the time go?",
        table=_table(parts),
    )


def _longest(part: Mapping[str, float]) -> str:
    return max(part, key=lambda phase: part[phase])


def _waiting_and_holding(pool: PoolSummary) -> str:
    wait = duration(pool.checkout.wait_seconds.mean)
    return f"{wait} and {duration(pool.hold_seconds.mean)}"


def _mean_times(pool: PoolSummary, runs: PoolRuns) -> dict[str, float]:
    def spread(name: str) -> float:
        return runs.times(name).finished.sum / 1e9 / pool.checkout.count

    resetting = spread("reset")
    return {
        "waiting": pool.checkout.wait_seconds.mean or 0.0,
        "connecting": spread("connect"),
        "reconnecting": spread("reconnect"),
        "pinging": spread("ping"),
        "holding": max((pool.hold_seconds.mean or 0.0) - resetting, 0.0),
        "resetting": resetting,
    }


def _table(parts: Parts) -> Table:
    rows = [
        (name, *(duration(part[phase]) for phase in PHASES), duration(sum(part.values())))
        for name, part in parts.items()
    ]
    return Table(("pool", *PHASES, "total"), tuple(rows))


def _totals(parts: Parts) -> list[float]:
    return [sum(part.values()) for part in parts.values()]


def _visible(parts: Parts) -> list[str]:
    """The phases that are long enough to see."""
    least = 0.002 * max(_totals(parts))
    return [phase for phase in PHASES if any(part[phase] > least for part in parts.values())]


def _figure(parts: Parts) -> Figure:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    totals = _totals(parts)
    shown = _visible(parts)
    figure, axes = canvas.row_axes(list(parts), shown)
    bars = {phase: [part[phase] for part in parts.values()] for phase in shown}
    canvas.stacked_bars(figure, axes, bars, [PHASE_LOOKS[phase] for phase in shown])
    for row, total in enumerate(totals):
        canvas.write_text(axes, total + 0.012 * max(totals), row, duration(total))
    axes.set_xlim(0, max(totals))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: round_duration(x)))
    canvas.draw_grid(axes, "x")
    canvas.label_x(axes, "mean time from asking for a connection to its return")
    return figure
