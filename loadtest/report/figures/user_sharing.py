"""The longest wait of a user, the median wait, and users without a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.sharing import Sharing, sharing
from loadtest.analysis.units import NO_VALUE, count, duration, level, ratio
from loadtest.model.summary import PoolSummary, Summary
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.drawing import (
    UNNOTICED,
    Drawing,
    Table,
    for_every_pool,
    for_title,
    valid_or_all,
)
from loadtest.report.figures.toolkit.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = (
    "The hollow dot is the median wait, the filled dot the longest wait of any user. The scale is "
    "logarithmic. Waits that had not ended are included. On the right are users who never got a "
    "connection, and Jain's index: 1 if all users got equally many connections, 0.1 if a tenth of "
    "them got all. Both describe the round that shared worst; an open loop has neither. With few "
    "checkouts per user, chance alone keeps the index below 1, and a user without a connection may "
    "only not have had its turn: the finding starvation needs three checkouts of each other user."
)
SHORTEST_WAIT = 1e-6
# Room for the text beside the last dot, and between the names of rows and the first.
_ROOM = 4
# From this ratio on each dot has its time right above it.
_APART = 3000
# Inches to the right of the axes.
_WITHOUT, _JAIN = 0.4, 0.98

Shared = Mapping[int, Sharing]


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if sharing was not measured."""
    found = {number: sharing(pool) for number, pool in enumerate(measurements.pools)}
    shared = {number: one for number, one in found.items() if one}
    if not shared:
        return None
    pools = [summary.pools[number] for number in shared]
    of = {pool.name: one for pool, one in zip(pools, shared.values(), strict=True)}
    waited = any(one.without or one.longest >= UNNOTICED for one in shared.values())
    return Drawing(
        name="sharing",
        title=_title(valid_or_all(pools), of),
        alt="The median wait, the longest wait of any user, and users without a connection: "
        + for_every_pool(
            pools,
            lambda pool: (
                f"{duration(pool.checkout.wait_seconds.p50)}, "
                f"{duration(of[pool.name].longest)} and {_without(of[pool.name])}"
            ),
        ),
        help=HELP if waited else "",
        svg=to_svg(_figure(shared, summary), "sharing") if waited else "",
        question="Did users starve?",
        table=_table(shared, summary),
    )


def _title(pools: Sequence[PoolSummary], of: Mapping[str, Sharing]) -> str:
    unlucky = max(pools, key=lambda pool: of[pool.name].without / of[pool.name].users)
    worst = of[unlucky.name]
    if worst.without:
        some = f"{count(worst.without)} of {count(worst.users)} users"
        return f"In the worst round of {unlucky.name}, {some} got no connection"
    longest = for_title(
        pools,
        lambda pool: of[pool.name].longest,
        lambda pool: duration(of[pool.name].longest),
    )
    if all(of[pool.name].open_loop for pool in pools):
        return f"The longest wait was {longest}"
    return f"No user went without a connection; the longest wait was {longest}"


def _table(shared: Shared, summary: Summary) -> Table:
    rows = []
    for number, one in shared.items():
        pool = summary.pools[number]
        median = pool.checkout.wait_seconds.p50
        times = f"{ratio(one.longest / median)} times" if median else NO_VALUE
        jain = NO_VALUE if one.jain is None else ratio(one.jain)
        mine = (_without(one), level(one.checkouts), jain)
        rows.append((pool.name, *mine, duration(median), duration(one.longest), times))
    users = ("pool", "users without a connection", "checkouts each", "Jain's index")
    return Table((*users, "median wait", "longest wait", "longest / median"), tuple(rows))


def _without(one: Sharing) -> str:
    return NO_VALUE if one.open_loop else f"{count(one.without)} of {count(one.users)}"


def _figure(shared: Shared, summary: Summary) -> Figure:
    names = [summary.pools[number].name for number in shared]
    figure, axes = canvas.row_axes(names, right=1.2, above=0.2)
    across = axes.get_yaxis_transform()
    wide = axes.get_position().width * canvas.WIDTH
    without, jains = 1 + _WITHOUT / wide, 1 + _JAIN / wide
    for row, (number, one) in enumerate(shared.items()):
        median = max(summary.pools[number].checkout.wait_seconds.p50 or 0.0, SHORTEST_WAIT)
        _draw_waits(axes, row, (median, max(one.longest, median)), canvas.pool_colour(number))
        canvas.write_text(axes, without, row, _without(one), transform=across, ha="center")
        jain = NO_VALUE if one.jain is None else ratio(one.jain)
        canvas.write_text(axes, jains, row, jain, transform=across, ha="center")
    for place, heading in ((without, "without"), (jains, "Jain")):
        canvas.write_text(axes, place, -0.68, heading, transform=across, ha="center", weight="bold")
    canvas.log_seconds(axes, "x", 3)
    low, high = axes.get_xlim()
    axes.set_xlim(low / _ROOM**2, _ROOM * high)
    canvas.draw_grid(axes, "x")
    canvas.label_x(axes, "wait: median, and longest of any user")
    return figure


def _draw_waits(axes: Axes, row: int, waits: tuple[float, float], shade: str) -> None:
    """Draw two dots with a line between them, and the time above each."""
    median, longest = waits
    axes.plot([median, longest], [row, row], color=shade, lw=1.8)
    axes.plot([median], [row], "o", color=shade, ms=6, mfc="none", mew=1.4)
    axes.plot([longest], [row], "o", color=shade, ms=6, mew=0)
    sides = ("right", "left") if longest < _APART * median else ("center", "center")
    for wait, side in zip(waits, sides, strict=True):
        canvas.write_text(axes, wait, row - 0.26, duration(wait), ha=side)
