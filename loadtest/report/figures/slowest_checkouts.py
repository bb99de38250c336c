"""The phases of the checkouts near each percentile, as shares of their time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.units import NO_VALUE, count, duration, level, percent
from loadtest.model.summary import Anatomy, PoolSummary, Summary
from loadtest.report.figures.phase_times import PHASE_LOOKS
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.drawing import FEW, Drawing, Table, pools_by_word, valid_or_all
from loadtest.report.figures.toolkit.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HELP = (
    "The time from asking for a connection to having it, as the mean of the recorded checkouts "
    "near each percentile. Only the slowest checkouts of every second are recorded, so low "
    "percentiles may be missing. The time on the right is their total; below 0.1 ms nothing is "
    "drawn. The table also names their most frequent task, and how many others were asking."
)
DRAWN_PERCENTILES = ("p95", "p99", "max")
OF_MANY = ("p99", "max")
CHECKOUT_PHASES = ("waiting", "connecting", "pinging")
LEAST_SECONDS = 1e-4
# A smaller share has no visible bar.
VISIBLE = 0.002
# Below it a second phase needs no picture: the title names the first.
_NOTABLE = 0.1
_NAME = 11

Kept = Mapping[str, Sequence[Anatomy]]


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if no checkout took long enough."""
    named = OF_MANY if len(summary.pools) > FEW else DRAWN_PERCENTILES
    kept = {pool.name: _kept(pool, named) for pool in summary.pools}
    shown = [pool for pool in summary.pools if kept[pool.name]]
    if not shown:
        return None
    return Drawing(
        name="slowest",
        title=f"Slow checkouts spend their time {_said(valid_or_all(shown), kept)}",
        alt="Shares of waiting, connecting and pinging in the time of slow checkouts. Most is "
        + _said(shown, kept),
        help=HELP,
        svg=to_svg(_figure(kept), "slowest") if _any_mixed(kept) else "",
        question="What are slow checkouts made of?",
        table=_table(summary.pools),
    )


def _any_mixed(kept: Kept) -> bool:
    """Whether any checkout spent notable parts of its time in two phases."""
    shown = [one for found in kept.values() for one in found]
    return any(sorted(phase_seconds(one).values())[-2] > _NOTABLE * one.seconds for one in shown)


def _kept(pool: PoolSummary, named: Sequence[str]) -> list[Anatomy]:
    known = [
        a for a in pool.checkout.anatomy if a.percentile in named and a.seconds >= LEAST_SECONDS
    ]
    # In a damaged file all parts may be zero.
    return [a for a in known if max(phase_seconds(a).values()) > VISIBLE * a.seconds]


def phase_seconds(anatomy: Anatomy) -> dict[str, float]:
    """The seconds of a checkout by phase."""
    times = (anatomy.wait_seconds, anatomy.connect_seconds, anatomy.ping_seconds)
    return dict(zip(CHECKOUT_PHASES, times, strict=True))


def _said(shown: Sequence[PoolSummary], kept: Kept) -> str:
    """The longest phase of the slowest checkouts, by pool."""

    def longest(pool: PoolSummary) -> str:
        found = kept[pool.name]
        slowest = phase_seconds(next((one for one in found if one.percentile == "p99"), found[-1]))
        return max(slowest, key=lambda phase: slowest[phase])

    return pools_by_word(shown, longest)


def _table(pools: Sequence[PoolSummary]) -> Table:
    """Every percentile of every pool, also those that are not drawn."""
    told = [(pool.name, one) for pool in pools for one in pool.checkout.anatomy if one.seconds > 0]
    phases = [
        phase for phase in CHECKOUT_PHASES if any(phase_seconds(one)[phase] for _, one in told)
    ]
    rows = [
        (
            name,
            one.percentile.replace("p999", "p99.9"),
            duration(one.seconds),
            *(_share(one, phase_seconds(one)[phase]) for phase in phases),
            one.task or NO_VALUE,
            level(one.waiting),
            level(one.overflow),
            count(one.samples),
        )
        for name, one in told
    ]
    others = ("task", "others asking", "in overflow", "samples")
    return Table(("pool", "percentile", "took", *phases, *others), tuple(rows))


def _drawn_phases(kept: Kept) -> list[str]:
    shown = [one for found in kept.values() for one in found]
    return [
        phase
        for phase in CHECKOUT_PHASES
        if any(phase_seconds(one)[phase] > VISIBLE * one.seconds for one in shown)
    ]


def _share(anatomy: Anatomy, seconds: float) -> str:
    return f"{duration(seconds)} ({percent(seconds / anatomy.seconds)})"


def _figure(kept: Kept) -> Figure:
    from matplotlib.ticker import FuncFormatter

    shown = [one for found in kept.values() for one in found]
    names = [
        f"{canvas.shortened(name, _NAME)} {one.percentile}"
        for name, found in kept.items()
        for one in found
    ]
    bars = {
        phase: [phase_seconds(one)[phase] / one.seconds for one in shown]
        for phase in _drawn_phases(kept)
    }
    figure, axes = canvas.row_axes(names, list(bars))
    canvas.stacked_bars(figure, axes, bars, [PHASE_LOOKS[phase] for phase in bars])
    for row, one in enumerate(shown):
        canvas.write_text(axes, 1.02, row, duration(one.seconds))
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: percent(x)))
    canvas.label_x(axes, "share of the time of these checkouts")
    return figure
