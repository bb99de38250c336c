"""What the checkouts near each percentile were made of, as shares of their time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from loadtest.analysis.measured import Measurements
from loadtest.analysis.units import count, duration, percent
from loadtest.analysis.values import Anatomy, PoolSummary, Summary
from loadtest.report.figures import canvas
from loadtest.report.figures.drawing import FEW, Drawing, Table, few
from loadtest.report.figures.phases import SHADES
from loadtest.report.figures.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HELP = (
    "From asking for a connection to having it: the mean of those checkouts near each percentile "
    "that were kept (the slowest of every second), so the middle is missing where they were too "
    "few. On the right how long they took; below 0.1 ms nobody waits, and nothing is drawn."
)
PERCENTILES = ("p50", "p95", "p99", "max")
OF_MANY = ("p99", "max")
LEAST = 1e-4
# A smaller share of a checkout would not be seen.
SEEN = 0.002
_NAME = 11

Kept = Mapping[str, Sequence[Anatomy]]


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if no checkout took long enough to be looked at."""
    named = OF_MANY if len(summary.pools) > FEW else PERCENTILES
    kept = {pool.name: _kept(pool, named) for pool in summary.pools}
    shown = [pool for pool in summary.pools if kept[pool.name]]
    if not shown:
        return None
    said = _said(shown, kept)
    return Drawing(
        name="slowest",
        title=f"Slow checkouts spend their time {said}",
        alt=f"Shares of waiting, connecting and pinging in the time of slow checkouts: {said}",
        help=HELP,
        svg=to_svg(_figure(kept), "slowest"),
        question="What are slow checkouts made of?",
        table=_table(kept),
    )


def _kept(pool: PoolSummary, named: Sequence[str]) -> list[Anatomy]:
    slow = [a for a in pool.checkout.anatomy if a.percentile in named and a.seconds >= LEAST]
    return [a for a in slow if max(parts(a).values()) > SEEN * a.seconds]  # else nobody knows


def parts(anatomy: Anatomy) -> dict[str, float]:
    """The seconds of a checkout by phase."""
    return {
        "waiting": anatomy.wait_seconds,
        "connecting": anatomy.connect_seconds,
        "pinging": anatomy.ping_seconds,
    }


def _said(shown: Sequence[PoolSummary], kept: Kept) -> str:
    """Which phase takes the most of the slowest, and with which pools."""
    groups: dict[str, list[PoolSummary]] = defaultdict(list)
    for pool in shown:
        found = kept[pool.name]
        slowest = parts(next((one for one in found if one.percentile == "p99"), found[-1]))
        groups[max(slowest, key=lambda phase: slowest[phase])].append(pool)
    return ", ".join(f"{phase} with {few(pools)}" for phase, pools in groups.items())


def _table(kept: Kept) -> Table:
    rows = [
        (
            name,
            one.percentile,
            duration(one.seconds),
            *(f"{duration(s)} ({percent(s / one.seconds)})" for s in parts(one).values()),
            count(one.samples),
        )
        for name, found in kept.items()
        for one in found
    ]
    headings = ("pool", "percentile", "took", "waiting", "connecting", "pinging", "samples")
    return Table(headings, tuple(rows))


def _figure(kept: Kept) -> Figure:
    from matplotlib.ticker import FuncFormatter

    shown = [one for found in kept.values() for one in found]
    names = [
        f"{canvas.short(name, _NAME)} {one.percentile}"
        for name, found in kept.items()
        for one in found
    ]
    bars = {
        phase: [parts(one)[phase] / one.seconds for one in shown]
        for phase in ("waiting", "connecting", "pinging")
        if any(parts(one)[phase] > SEEN * one.seconds for one in shown)
    }
    figure, axes = canvas.rows(names, list(bars))
    canvas.stacked(figure, axes, bars, [SHADES[phase] for phase in bars])
    for row, one in enumerate(shown):
        canvas.write(axes, 1.02, row, duration(one.seconds))
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: percent(x)))
    canvas.name_x(axes, "share of the time of these checkouts")
    return figure
