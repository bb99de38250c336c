"""Throughput and wait over the most connections that each pool may open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from loadtest.analysis.pool_runs import Measurements, PoolRuns
from loadtest.analysis.statistics.censoring import describe
from loadtest.analysis.statistics.estimate import interval95
from loadtest.analysis.units import NO_VALUE, count, duration, marked_duration, rate
from loadtest.model.field_types import Interval95
from loadtest.model.summary import LEAST_ROUNDS_SHOWN, PoolSummary, Summary
from loadtest.report.figures import throughput
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.dot_labels import DotLabels
from loadtest.report.figures.toolkit.drawing import UNNOTICED, Drawing, Table, for_every_pool
from loadtest.report.figures.toolkit.svg import INK, to_svg
from loadtest.report.pool_table import throughput_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OF_ROUNDS = (
    "Small dots are single rounds, large dots all rounds together, vertical bars the 95 % interval "
    "over the rounds. "
)
_RIGHT_IS_MORE = (
    "Pools further to the right may open more connections (pool_size + max_overflow, of all "
    "processes together). "
)
NO_WAITS = "The p95 of the wait is below 0.1 ms with every pool. "
HELP = (
    "The scales of connections and of the wait are logarithmic. Pools without "
    "a limit are on the far right. Hollow dots are not valid."
)
_LEAST_GAP = 0.13
_ROOM_ABOVE = 1.42
# Inches: the height of a panel, and the room beside it.
_TALL, _LEFT, _RIGHT = 1.35, 0.72, 0.3

Shown = Mapping[int, PoolSummary]


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if all pools have one size, or a search has its own figure."""
    if not throughput.sizes_differ(summary):
        return None
    shown = {number: pool for number, pool in enumerate(summary.pools) if pool.rounds}
    waits = {number: _waits(measurements.pools[number]) for number in shown}
    pools = list(shown.values())
    waited = any((pool.checkout.wait_seconds.p95 or 0.0) >= UNNOTICED for pool in pools)
    return Drawing(
        name="sizes",
        title=_title(pools, summary.verdict.recommended),
        alt="Successful requests per second and p95 of the wait by the most connections that a "
        "pool may open: " + for_every_pool(pools, _numbers),
        help=_RIGHT_IS_MORE
        + OF_ROUNDS * any(pool.shown_ci95 for pool in pools)
        + (HELP if waited else NO_WAITS + HELP),
        svg=to_svg(_figure(measurements, shown, waits if waited else {}), "sizes"),
        question="Does a bigger pool help?",
        table=_table(shown, waits),
    )


def _waits(pool: PoolRuns) -> list[float]:
    """The p95 of the wait in each round (s)."""
    found = [describe(round_.times("wait", cut_off_by_waits=True)).p95 for round_ in pool.rounds]
    return [wait for wait in found if wait is not None]


def _numbers(pool: PoolSummary) -> str:
    return (
        f"{rate(pool.throughput.per_second)} / {marked_duration(pool.checkout.wait_seconds, 'p95')}"
    )


def _title(pools: Sequence[PoolSummary], recommended: str | None) -> str:
    """The throughput of the pools; bigger is better only if the intervals do not overlap.

    A bigger pool helps up to the recommended one if the best does not surely do more than it.

    Pools of several user models, servers or applications differ in more than their size.
    """
    said = throughput.throughput_title(pools)
    if len({(pool.model, pool.server_name, pool.application_name) for pool in pools}) > 1:
        return said
    ranked = sorted((pool for pool in pools if pool.valid), key=_most)
    if len(ranked) < 2:
        return said
    best = max(ranked, key=lambda pool: pool.throughput.per_second or 0.0)
    if _most(best) < _most(ranked[-1]) and _surely_more(best, ranked[-1]):
        return f"The biggest pool is not the best: {said}"
    if _most(best) > _most(ranked[0]) and _surely_more(best, ranked[0]):
        enough = next((pool for pool in ranked if pool.name == recommended), best)
        upto = _surely_more(enough, ranked[0]) and not _surely_more(best, enough)
        if _most(enough) < _most(best) and upto:
            return f"Up to {enough.name}, a bigger pool helps: {said}"
        return f"A bigger pool helps: {said}"
    return said


def _most(pool: PoolSummary) -> float:
    allowed = pool.connections.allowed
    return math.inf if allowed is None else allowed


def _surely_more(pool: PoolSummary, other: PoolSummary) -> bool:
    mine, theirs = pool.throughput.ci95, other.throughput.ci95
    return bool(mine and theirs and mine[0] > theirs[1])


def _table(shown: Shown, waits: Mapping[int, Sequence[float]]) -> Table:
    rows = [
        (
            pool.name,
            _size(pool),
            rate(pool.throughput.per_second),
            throughput_interval(pool) or NO_VALUE,
            marked_duration(pool.checkout.wait_seconds, "p95"),
            " · ".join(map(duration, waits[number])) or NO_VALUE,
        )
        for number, pool in shown.items()
    ]
    headings = (
        "pool",
        "connections allowed",
        "ok/s",
        "interval (95 %)",
        "wait p95",
        "in each round",
    )
    return Table(headings, tuple(rows))


def _size(pool: PoolSummary) -> str:
    allowed = pool.connections.allowed
    return "no limit" if allowed is None else count(allowed)


def _figure(
    measurements: Measurements, shown: Shown, waits: Mapping[int, Sequence[float]]
) -> Figure:
    waited = bool(waits)
    names = DotLabels([canvas.shortened(pool.name) for pool in shown.values()], _LEFT, _RIGHT)
    figure, rows = canvas.panels(
        1 + waited, _TALL, left=_LEFT, right=_RIGHT, gap=0.34, above=names.lift - 0.1
    )
    places = _places(shown)
    for axes, text in zip(rows, ("successful requests per second", "wait p95"), strict=False):
        height = 1.06 + (names.lift / _TALL if axes is rows[0] else 0.0)
        canvas.write_text(axes, 0.0, height, text, transform=axes.transAxes, va="bottom")
        _size_axis(axes, shown, places)
        axes.tick_params(axis="x", labelbottom=axes is rows[-1])
    _draw_throughput(rows[0], measurements, shown, places)
    if waited:
        _draw_waits(rows[1], shown, waits, places)
    canvas.label_x(rows[-1], "most connections that the pool may open")
    shades = [canvas.pool_colour(number) for number in shown]
    names.write(rows[0], _shares(rows[0], places.values()), shades)
    return figure


def _draw_throughput(
    axes: Axes, measurements: Measurements, shown: Shown, places: Mapping[int, float]
) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    _join(axes, [(places[n], pool.throughput.per_second) for n, pool in shown.items()], shown)
    for number, pool in shown.items():
        dots = [round_.throughput for round_ in measurements.pools[number].rounds]
        middle, ci95 = pool.throughput.per_second, pool.shown_ci95
        _dot(axes, places[number], dots, middle, ci95, _look(number, pool))
    top = max(axes.dataLim.y1, 1.0)
    axes.set_ylim(0, _ROOM_ABOVE * top)
    # Above the dots are the names.
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0, top)
    axes.set_yticks([tick for tick in ticks if tick <= 1.1 * top])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,g}"))


def _draw_waits(
    axes: Axes, shown: Shown, waits: Mapping[int, Sequence[float]], places: Mapping[int, float]
) -> None:
    _join(axes, [(places[n], p.checkout.wait_seconds.p95) for n, p in shown.items()], shown)
    for number, pool in shown.items():
        middle, ci95 = pool.checkout.wait_seconds.p95, None
        if len(waits[number]) >= LEAST_ROUNDS_SHOWN:
            ci95 = interval95(waits[number])
        _dot(axes, places[number], waits[number], middle, ci95, _look(number, pool))
    canvas.log_seconds(axes, "y")


def _places(shown: Shown) -> dict[int, float]:
    """The place of each pool on the axis: no limit is last, equal sizes are side by side."""
    known = [pool.connections.allowed or 1 for pool in shown.values() if pool.connections.allowed]
    low, high = min(known), max(known)
    last = high * max(2.0, (high / low) ** 0.4)
    at = {number: min(_most(pool), last) for number, pool in shown.items()}
    step = (last / low) ** 0.03
    places = {}
    for number, place in at.items():
        same = [other for other in at if at[other] == place]
        places[number] = place * step ** (same.index(number) - (len(same) - 1) / 2)
    return places


def _look(number: int, pool: PoolSummary) -> dict[str, str]:
    shade = canvas.pool_colour(number)
    return {"color": shade, "mfc": shade if pool.valid else "none"}


def _dot(
    axes: Axes,
    place: float,
    rounds: Sequence[float],
    middle: float | None,
    ci95: Interval95 | None,
    look: Mapping[str, str],
) -> None:
    shade = look["color"]
    if ci95:
        low, high = (max(edge, canvas.SHORTEST) for edge in ci95)
        axes.plot([place, place], [low, high], color=shade, lw=1.6, solid_capstyle="butt")
    if len(rounds) > 1:
        dots = np.maximum(rounds, canvas.SHORTEST)
        axes.plot([place] * len(dots), dots, "o", color=shade, ms=3, alpha=0.55, mew=0)
    if middle is not None:
        axes.plot([place], [max(middle, canvas.SHORTEST)], "o", ms=6, mew=1.2, **look)  # type: ignore[arg-type]


def _join(axes: Axes, points: Sequence[tuple[float, float | None]], shown: Shown) -> None:
    """Draw a faint line through the valid pools that have a limit, if they differ in size only."""
    valid = [
        (place, max(value, canvas.SHORTEST))
        for (place, value), pool in zip(points, shown.values(), strict=True)
        if pool.valid and value is not None and pool.connections.allowed is not None
    ]
    if len({_most(pool) for pool in shown.values()}) == len(shown) and valid:
        axes.plot(*zip(*sorted(valid), strict=True), color=INK, lw=1, alpha=0.35, zorder=1)


def _size_axis(axes: Axes, shown: Shown, places: Mapping[int, float]) -> None:
    from matplotlib.ticker import NullLocator

    low, high = min(places.values()), max(places.values())
    beside = (high / low) ** 0.08
    axes.set_xscale("log")
    axes.set_xlim(low / beside, high * beside)
    sizes = sorted({p.connections.allowed for p in shown.values() if p.connections.allowed})
    ticks: list[float] = [*canvas.readable_sizes(sizes, sizes[0], (high / low) ** _LEAST_GAP)]
    labels = [count(size) for size in ticks]
    endless = [places[number] for number in shown if shown[number].connections.allowed is None]
    if endless:
        ticks, labels = [*ticks, math.sqrt(endless[0] * endless[-1])], [*labels, "no limit"]
    axes.set_xticks(ticks, labels)
    axes.xaxis.set_minor_locator(NullLocator())
    canvas.draw_grid(axes, "y")


def _shares(axes: Axes, places: Iterable[float]) -> list[float]:
    """Where on the axis of sizes some places are, from 0 to 1."""
    low, high = np.log(axes.get_xlim())
    return [float((math.log(place) - low) / (high - low)) for place in places]
