"""The sizes that a search tried: throughput and the objective by size, and the knee."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtest.analysis.comparison.objective_check import MET_IN_WORDS
from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.units import count, listed, percent, plural
from loadtest.model.field_types import Interval95
from loadtest.model.search_result import Search, SizeTried
from loadtest.model.summary import Summary
from loadtest.report.figures.search_measures import Measure, search_measures
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.drawing import Drawing, Table
from loadtest.report.figures.toolkit.svg import INK, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = (
    "Each dot is a pool size that was tried, and its line the 95 % interval. Intervals are over "
    "the rounds; that of the throughput is over the seconds with fewer than three rounds. The "
    "faint bar shows how even the seconds were, from the slowest tenth to the fastest; it decides "
    "nothing. Hollow dots miss the objective or are not valid. The dashed vertical line is the "
    "answer, a dotted line a limit of the objective. The scales of times and size are logarithmic."
)
_OF_PROCESSES = " Each number of processes has a shape of dots and a line."
# The dots and the line of each number of processes; colours are those of pools.
_MARKS: Sequence[tuple[str, Any]] = (
    *(("o", "-"), ("s", (0, (4, 1.5))), ("^", (0, (1, 1)))),
    *(("D", (0, (4, 1.5, 1, 1.5))), ("v", (0, (8, 2)))),
)
# A share of the axis: numbers of three digits must not touch.
_LEAST_GAP = 0.1


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None without a search, or if no size was measured. No picture of one size."""
    search = summary.search
    curves = _curves(search) if search else []
    tried = [one for curve in curves for one in curve.sizes]
    if search is None or not tried:
        return None
    measures = search_measures(measurements, summary, tried)
    several = len({one.size for one in tried}) > 1
    said = [
        f"{' / '.join(measure.said(one.pool) for measure in measures)} with {one.pool}"
        for one in tried
    ]
    svg = ""
    if several:
        svg = to_svg(_figure(search, curves, measures, _shade(summary, search)), "search")
    return Drawing(
        name="search",
        title=_title(search),
        alt=f"By pool size, {listed([measure.label for measure in measures])}: {listed(said)}",
        help=HELP + (_OF_PROCESSES if search.by_processes else "") if several else "",
        svg=svg,
        question="How many connections are enough?",
        table=_table(tried, measures, asked=bool(summary.experiment.get("objective"))),
    )


class _Curve(NamedTuple):
    """The sizes of one search; label: its number of processes, empty if that is not compared."""

    label: str
    sizes: Sequence[SizeTried]
    marker: str = "o"
    line: Any = "-"


def _curves(search: Search) -> list[_Curve]:
    """The measured sizes of each number of processes."""
    if not search.by_processes:
        return [_Curve("", [one for one in search.sizes if one.rounds])]
    return [
        _Curve(
            plural(part.processes or 0, "process", "processes"),
            [one for one in part.sizes if one.rounds],
            *mark,
        )
        for part, mark in zip(search.by_processes, cycle(_MARKS), strict=False)
    ]


def _shade(summary: Summary, search: Search) -> str:
    """The colour of the answer, the same in all figures."""
    answers = [one.pool for one in search.sizes if one.size == search.size]
    numbers = [number for number, pool in enumerate(summary.pools) if pool.name in answers]
    return canvas.pool_colour(numbers[-1]) if numbers else INK


def _title(search: Search) -> str:
    if search.size is None:
        missed = search.outcome == "missed"
        return f"No pool size {'meets the objective' if missed else 'is known to be enough'}"
    verb = "are" if search.outcome == "found" else "may be"
    knee = f"{count(search.size)} connections {verb} enough"
    if search.by_processes:
        many = plural(search.processes or 0, "process", "processes")
        each = " each" if search.processes != 1 else ""
        return f"{many} with {plural(search.size, 'connection')}{each} {verb} enough"
    worse = search.worse_from
    return f"{knee}; from {count(worse)} on it gets worse" if worse else knee


def _table(tried: Sequence[SizeTried], measures: Sequence[Measure], *, asked: bool) -> Table:
    """asked: whether there is an objective."""
    rows = [
        (
            one.pool,
            count(one.size),
            *(cell for m in measures for cell in (m.said(one.pool), m.interval(one.pool))),
            *[MET_IN_WORDS[one.met]] * asked,
            count(one.rounds),
        )
        for one in sorted(tried, key=lambda one: one.size)
    ]
    values = [text for measure in measures for text in (measure.heading, "interval (95 %)")]
    return Table(("pool", "pool_size", *values, *["objective"] * asked, "rounds"), tuple(rows))


def _figure(
    search: Search, curves: Sequence[_Curve], measures: Sequence[Measure], answer: str
) -> Figure:
    figure, rows = canvas.panels(len(measures), 1.35, left=0.72, right=0.3, gap=0.32, above=0.12)
    tried = [one for curve in curves for one in curve.sizes]
    for axes, measure in zip(rows, measures, strict=True):
        for curve in curves:
            _draw_curve(axes, curve, search, measure, answer)
        _scale(axes, measure)
        _size_axis(axes, search, tried, answer)
        canvas.write_text(axes, 0.0, 1.06, measure.label, transform=axes.transAxes, va="bottom")
        axes.tick_params(axis="x", labelbottom=axes is rows[-1])
    if search.size is not None:
        how: dict[str, Any] = {"transform": rows[0].get_xaxis_transform(), "weight": "bold"}
        size = f"{canvas.BLANK}{count(search.size)}"
        canvas.write_text(rows[0], search.size, 0.09, size, **how)
    _legend(rows[0], curves)
    canvas.label_x(rows[-1], "pool_size of each process" if search.by_processes else "pool_size")
    return figure


def _scale(axes: Axes, measure: Measure) -> None:
    """The vertical scale of a measure, with the limit of the objective."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if measure.limit is not None:
        axes.axhline(measure.limit, color=INK, lw=1, ls=(0, (1, 1.5)))
    if measure.form == "seconds":
        canvas.log_seconds(axes, "y")
        return
    axes.set_ylim(bottom=0)
    if measure.form == "share":
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: percent(y)))


def _draw_curve(axes: Axes, curve: _Curve, search: Search, measure: Measure, answer: str) -> None:
    chosen = {one.pool for one in search.sizes if one.size == search.size}
    least = canvas.SHORTEST if measure.form == "seconds" else 0.0
    for one in curve.sizes:
        shade = answer if one.pool in chosen else INK
        if one.pool in measure.spreads:
            _bar(axes, one.size, measure.spreads[one.pool], shade, least, width=9, alpha=0.2)
        value, interval = measure.values[one.pool]
        if value is None:
            continue
        if interval:
            _bar(axes, one.size, interval, shade, least, width=1.6)
        fill = shade if one.met is True and one.valid else "none"
        look: dict[str, Any] = {"color": shade, "mfc": fill, "ms": 5, "mew": 1.2}
        axes.plot([one.size], [max(value, least)], curve.marker, **look)


def _legend(axes: Axes, curves: Sequence[_Curve]) -> None:
    """The look of each number of processes, and a line through its sizes."""
    named = [curve for curve in curves if curve.label and curve.sizes]
    for curve in named:
        known = sorted((one.size, one.throughput or 0.0) for one in curve.sizes)
        look: dict[str, Any] = {"color": INK, "lw": 1, "ls": curve.line}
        axes.plot(*zip(*known, strict=True), zorder=1, **look)
        axes.plot([], [], marker=curve.marker, ms=4, label=curve.label, **look)
    if named:
        axes.legend(loc="lower right", frameon=False, ncols=len(named), borderaxespad=0)


def _bar(
    axes: Axes,
    size: int,
    interval: Interval95,
    shade: str,
    least: float,
    *,
    width: float,
    alpha: float = 1.0,
) -> None:
    low, high = (max(edge, least) for edge in interval)
    axes.plot([size] * 2, [low, high], color=shade, lw=width, alpha=alpha, solid_capstyle="butt")


def _size_axis(axes: Axes, search: Search, tried: Sequence[SizeTried], shade: str) -> None:
    from matplotlib.ticker import NullLocator

    sizes = sorted(one.size for one in tried)
    low, high = sizes[0] / 1.1, sizes[-1] * 1.1
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    shown = canvas.readable_sizes(sizes, search.size or sizes[0], (high / low) ** _LEAST_GAP)
    axes.set_xticks(shown, [count(size) for size in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    canvas.draw_grid(axes, "y")
    if search.size is None:
        return
    # Pale and dashed: the interval of the answer lies on it.
    axes.axvline(search.size, color=shade, lw=1, ls=(0, (3, 3)), alpha=0.45, zorder=0)
