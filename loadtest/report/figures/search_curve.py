"""The sizes that a search tried: throughput and wait over the pool's size, and the knee."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from loadtest.analysis.comparison.objective_check import MET_IN_WORDS
from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.statistics.within_rounds import SecondsSpread, seconds_spread
from loadtest.analysis.units import NO_VALUE, count, duration, listed, plural, rate
from loadtest.model.field_types import Interval95
from loadtest.model.objective import parse_objective
from loadtest.model.search_result import Search, SizeTried
from loadtest.model.summary import Summary
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.drawing import Drawing, Table
from loadtest.report.figures.toolkit.svg import INK, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = (
    "Each dot is a pool size that was tried, and its line the 95 % interval. The interval is over "
    "the rounds if there are three or more, otherwise over the seconds (throughput only). The "
    "faint bar shows how even the seconds were, from the slowest tenth to the fastest; it decides "
    "nothing. Hollow dots miss the objective or are not valid. The dashed vertical line is the "
    "answer, the dotted line the limit of the objective. The scales of wait and size are "
    "logarithmic."
)
_OF_PROCESSES = " Each number of processes has a colour and a line."
WAIT = "checkout.wait_seconds.p95"
# A share of the axis: numbers of three digits must not touch.
_LEAST_GAP = 0.1


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None without a search, or if no size was measured."""
    search = summary.search
    curves = _curves(summary, search) if search else []
    tried = [one for curve in curves for one in curve.sizes]
    if search is None or not tried:
        return None
    allowed = next(
        (
            bound.limit
            for bound in parse_objective(str(summary.experiment.get("objective") or ""))
            if bound.path == WAIT
        ),
        None,
    )
    return Drawing(
        name="search",
        title=_title(search),
        alt="By pool size, successful requests per second and p95 of the wait: "
        + listed([f"{_numbers(one)} with {one.pool}" for one in tried]),
        help=HELP + (_OF_PROCESSES if search.by_processes else ""),
        svg=to_svg(_figure(search, curves, allowed, _spreads(measurements)), "search"),
        question="How many connections are enough?",
        table=_table(tried),
    )


class _Curve(NamedTuple):
    """The sizes of one search; label: its number of processes, empty if that is not compared.

    shade, answer: the colours of a size and of the answer.
    """

    label: str
    sizes: Sequence[SizeTried]
    shade: str
    answer: str


def _curves(summary: Summary, search: Search) -> list[_Curve]:
    """The measured sizes of each number of processes, each in a colour of its own."""
    if not search.by_processes:
        tried = [one for one in search.sizes if one.rounds]
        answer = _shade(summary, [one.pool for one in tried if one.size == search.size])
        return [_Curve("", tried, INK, answer)]
    colours = [canvas.pool_colour(number) for number in range(len(search.by_processes))]
    return [
        _Curve(
            plural(part.processes or 0, "process", "processes"),
            [one for one in part.sizes if one.rounds],
            *(colour, colour),
        )
        for part, colour in zip(search.by_processes, colours, strict=True)
    ]


def _shade(summary: Summary, answers: Sequence[str]) -> str:
    """The colour of the answer, the same in all figures."""
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


def _numbers(one: SizeTried) -> str:
    wait = NO_VALUE if one.wait_p95 is None else duration(one.wait_p95)
    return f"{rate(one.throughput)} / {wait}"


def _table(tried: Sequence[SizeTried]) -> Table:
    rows = [
        (
            one.pool,
            count(one.size),
            rate(one.throughput),
            _interval(one.throughput_ci95, rate),
            NO_VALUE if one.wait_p95 is None else duration(one.wait_p95),
            _interval(one.wait_p95_ci95, duration),
            MET_IN_WORDS[one.met],
            count(one.rounds),
        )
        for one in sorted(tried, key=lambda one: one.size)
    ]
    interval = "interval (95 %)"
    headings = ("pool", "pool_size", "ok/s", interval, "wait p95", interval, "objective", "rounds")
    return Table(headings, tuple(rows))


def _interval(interval: Interval95 | None, say: Callable[[float], str]) -> str:
    return f"{say(max(interval[0], 0.0))} – {say(interval[1])}" if interval else NO_VALUE


def _spreads(measurements: Measurements) -> Mapping[str, SecondsSpread]:
    """How uneven the seconds of each pool were, by its name."""
    each = {pool.name: seconds_spread(pool) for pool in measurements.pools}
    return {name: found for name, found in each.items() if found}


def _figure(
    search: Search,
    curves: Sequence[_Curve],
    allowed: float | None,
    spreads: Mapping[str, SecondsSpread],
) -> Figure:
    figure, (above, below) = canvas.panels(2, 1.35, left=0.72, right=0.3, gap=0.32, above=0.12)
    for curve in curves:
        _draw_curve(above, below, curve, search, spreads)
    if allowed is not None:
        below.axhline(allowed, color=INK, lw=1, ls=(0, (1, 1.5)))
    canvas.log_seconds(below, "y")
    above.set_ylim(bottom=0)
    if search.size is not None:
        place = above.get_xaxis_transform()
        canvas.write_text(
            above,
            search.size,
            0.09,
            f"{canvas.BLANK}{count(search.size)}",
            transform=place,
            weight="bold",
        )
    tried = [one for curve in curves for one in curve.sizes]
    answers = [curve.answer for curve in curves if curve.sizes and _has_answer(curve, search)]
    for axes, text in ((above, "successful requests per second"), (below, "wait p95")):
        _size_axis(axes, search, tried, next(iter(answers), INK))
        canvas.write_text(axes, 0.0, 1.06, text, transform=axes.transAxes, va="bottom")
    _legend(above, curves)
    above.tick_params(axis="x", labelbottom=False)
    canvas.label_x(below, "pool_size of each process" if search.by_processes else "pool_size")
    return figure


def _has_answer(curve: _Curve, search: Search) -> bool:
    """Whether the answer of a search is one of the sizes of a curve."""
    names = [one.pool for one in search.sizes if one.size == search.size]
    return any(one.pool in names for one in curve.sizes)


def _draw_curve(
    above: Axes, below: Axes, curve: _Curve, search: Search, spreads: Mapping[str, SecondsSpread]
) -> None:
    for one in curve.sizes:
        shade = curve.answer if one.size == search.size else curve.shade
        if one.pool in spreads:
            _bar(above, one.size, spreads[one.pool].throughput, shade, width=9, alpha=0.2)
            _bar(below, one.size, spreads[one.pool].wait_p95, shade, width=9, alpha=0.2)
        _dot(above, one, one.throughput, one.throughput_ci95, shade)
        if one.wait_p95 is not None:
            _dot(below, one, max(one.wait_p95, canvas.SHORTEST), one.wait_p95_ci95, shade)


def _legend(axes: Axes, curves: Sequence[_Curve]) -> None:
    """The colour of each number of processes, and a line through its sizes."""
    named = [curve for curve in curves if curve.label and curve.sizes]
    for curve in named:
        known = sorted((one.size, one.throughput or 0.0) for one in curve.sizes)
        axes.plot(*zip(*known, strict=True), color=curve.shade, lw=1, label=curve.label)
    if named:
        axes.legend(loc="lower right", frameon=False, ncols=len(named), borderaxespad=0)


def _dot(
    axes: Axes, one: SizeTried, value: float | None, interval: Interval95 | None, shade: str
) -> None:
    if value is None:
        return
    if interval:
        _bar(axes, one.size, interval, shade, width=1.6)
    fill = shade if one.met is True and one.valid else "none"
    axes.plot([one.size], [value], "o", color=shade, ms=5, mfc=fill, mew=1.2)


def _bar(
    axes: Axes, size: int, interval: Interval95, shade: str, *, width: float, alpha: float = 1.0
) -> None:
    low, high = (max(edge, canvas.SHORTEST) for edge in interval)
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
