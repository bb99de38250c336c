"""The wait for a connection and the timeouts over the sizes of a pool, as predicted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from loadtest.analysis.prediction.measured_pool import MeasuredPool
from loadtest.analysis.prediction.whatif import PredictedPool, Prediction
from loadtest.analysis.units import duration, percent, rate, round_duration
from loadtest.model.pool import PoolConfig
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.chart import Chart, ChartLine, ChartPanel, Stroke
from loadtest.report.figures.toolkit.drawing import UNNOTICED, Drawing
from loadtest.report.figures.toolkit.svg import INK, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PREDICTED = "Lines are predicted; none of these settings was measured."
MEASURED = (
    "Lines are predicted, dots were measured. The distance between dots and their line shows how "
    "far you can trust the line. Dots have the colour of their pool in the report."
)
SCALES = (
    "The scales of pool_size and of the wait are logarithmic. Waits below 0.1 ms are drawn at "
    "0.1 ms."
)
# Rates that differ by less are the same.
_SAME_RATE = 0.01
# A scale of waits that spans less than this factor has numbers between the powers of ten.
SHORT_SCALE = 50
SIZE_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
# Lines of different overflows; colours are those of pools.
_LOOKS: Mapping[Stroke, dict[str, Any]] = {
    "thick": {"color": INK, "lw": 1.8},
    "dashed": {"color": INK, "lw": 1.5, "ls": (0, (4, 1.5))},
    "dotted": {"color": INK, "lw": 1.8, "ls": (0, (1, 1))},
    "thin": {"color": INK, "lw": 1.0, "alpha": 0.6},
}

ValueOf = Callable[[PredictedPool | MeasuredPool], float]


def draw(prediction: Prediction) -> Drawing:
    """The figure of a prediction with at least one cell; without a picture for a single size."""
    import matplotlib

    shown = _Map(prediction)
    svg = ""
    if shown.panels:
        with matplotlib.rc_context({"text.parse_math": False, "font.family": "DejaVu Sans"}):
            svg = to_svg(_figure(shown), "whatif")
    return Drawing(
        name="whatif",
        title=_title(prediction, shown.panels),
        alt=f"Predicted by pool_size and max_overflow: {', '.join(shown.panels)}. The table has "
        "the numbers",
        help=f"{MEASURED if shown.dots else PREDICTED} {SCALES}" if svg else "",
        svg=svg,
        question="What would other settings do?",
        chart=_chart(shown) if svg else None,
    )


def short_form(cell: PredictedPool) -> str:
    """A pool in its short form: `20+0`, `20+inf`."""
    return f"{cell.settings.pool_size}+{_overflow(cell.settings.max_overflow)}"


def _overflow(most: int) -> str:
    return "inf" if most == -1 else str(most)


def _title(prediction: Prediction, panels: Mapping[str, _Panel]) -> str:
    """The longest and the shortest wait, and what is the same with all settings."""
    ranked = sorted(prediction.cells, key=lambda cell: cell.wait.p95 or 0.0)
    best, worst = ranked[0], ranked[-1]
    said = f"at most {duration(worst.wait.p95)} with {short_form(worst)}"
    if (best.wait.p95 or 0.0) < (worst.wait.p95 or 0.0):
        said += f" and {duration(best.wait.p95)} with {short_form(best)}"
    if _TIMEOUTS not in panels and not any(map(_timeouts, prediction.cells)):
        said += "; none times out"
    if _RATES not in panels and len(prediction.cells) > 1 and _same(prediction.cells, _rate):
        said += f"; all settings do about {rate(best.throughput)} per second"
    return f"Predicted: 19 of 20 checkouts wait {said}"


@dataclass(frozen=True)
class _Panel:
    """What a panel shows: its value of a pool, and its scale."""

    value: ValueOf
    scale: Callable[[Axes], None]
    form: Literal["level", "seconds", "share"]


@dataclass(frozen=True)
class _Dot:
    """A measured pool in the map. number: of the pool, which gives its colour."""

    label: str
    number: int
    ran: MeasuredPool
    settings: PoolConfig


class _Map:
    """The parts of the figure: sizes, overflows, measured pools, and panels with a difference."""

    def __init__(self, prediction: Prediction) -> None:
        self.cells = prediction.cells
        self.sizes = sorted({cell.settings.pool_size for cell in self.cells})
        self.overflows = [*dict.fromkeys(cell.settings.max_overflow for cell in self.cells)]
        self.dots = list(_dots(prediction))
        self.every: list[PredictedPool | MeasuredPool] = [*self.cells]
        self.every += [dot.ran for dot in self.dots]
        several = len(self.sizes) > 1
        self.panels = {
            n: p for n, p in PANELS.items() if several and not _same(self.every, p.value)
        }

    def row(self, overflow: int) -> list[PredictedPool]:
        """The cells with this overflow, by their sizes."""
        row = [cell for cell in self.cells if cell.settings.max_overflow == overflow]
        return sorted(row, key=lambda cell: cell.settings.pool_size)

    def lines(self) -> Iterator[tuple[str, Stroke, list[PredictedPool]]]:
        """Label, stroke and cells of each overflow."""
        strokes = list(_LOOKS)
        for number, overflow in enumerate(self.overflows):
            label = f"overflow {_overflow(overflow)}"
            yield label, strokes[number % len(strokes)], self.row(overflow)


def _same(pools: Sequence[PredictedPool | MeasuredPool], value: ValueOf) -> bool:
    """Whether a picture of the values would be a level line."""
    values = [value(one) for one in pools]
    return max(values) - min(values) <= _SAME_RATE * max(values) or max(values) <= UNNOTICED


def colour_numbers(prediction: Prediction) -> dict[PoolConfig, int]:
    """The numbers of the measured pools, which give their colours: first those of the result."""
    before = prediction.observed.ran
    numbers = {one.settings: number for number, one in enumerate(before) if one.settings}
    for _, cell in prediction.checks:
        numbers.setdefault(cell.settings, len(before) + len(numbers))
    return numbers


def _dots(prediction: Prediction) -> Iterator[_Dot]:
    """The measured pools whose settings lie in the map."""
    shown = {cell.settings for cell in prediction.cells}
    numbers = colour_numbers(prediction)
    for ran, cell in prediction.checks:
        if cell.settings in shown:
            later = "" if ran in prediction.observed.ran else " later"
            yield _Dot(f"{ran.name}, measured{later}", numbers[cell.settings], ran, cell.settings)


def _figure(shown: _Map) -> Figure:
    labels = [label for label, _, _ in shown.lines()]
    room = 0.35 + canvas.text_width(labels)
    figure, rows = canvas.panels(len(shown.panels), 1.5, left=0.72, right=room, gap=0.34)
    for axes, (title, panel) in zip(rows, shown.panels.items(), strict=True):
        _draw(axes, shown, panel.value, named=axes is rows[0])
        panel.scale(axes)
        canvas.draw_grid(axes, "y")
        canvas.write_text(axes, 0, 1.1, title, transform=axes.transAxes, weight="bold")
        _scale_of_sizes(axes, shown.sizes)
        ends = [(panel.value(row[-1]), label) for label, _, row in shown.lines()]
        canvas.label_ends(axes, ends, [_LOOKS[stroke] for _, stroke, _ in shown.lines()])
    for axes in rows[:-1]:
        axes.tick_params(axis="x", labelbottom=False)
    canvas.label_x(rows[-1], "pool_size")
    return figure


def _draw(axes: Axes, shown: _Map, value: ValueOf, *, named: bool) -> None:
    """Draw a line for each overflow, and dots for the measured pools, with their names."""
    for _, stroke, row in shown.lines():
        sizes = [cell.settings.pool_size for cell in row]
        marker = "_" if len(row) == 1 else ""
        axes.plot(sizes, [value(cell) for cell in row], marker=marker, **_LOOKS[stroke])
    for dot in shown.dots:
        size, shade = dot.settings.pool_size, canvas.pool_colour(dot.number)
        axes.plot([size], [value(dot.ran)], "o", color=shade, ms=5, mew=0)
        if named:
            place = {shown.sizes[0]: "left", shown.sizes[-1]: "right"}.get(size, "center")
            how: dict[str, Any] = {"textcoords": "offset points", "xytext": (0, 5), "ha": place}
            text: dict[str, Any] = {"fontsize": canvas.TEXT, "color": INK}
            axes.annotate(canvas.shortened(dot.ran.name), (size, value(dot.ran)), **how, **text)


def _chart(shown: _Map) -> Chart:
    """The same for a pointer; without a cursor it tells the size that was measured."""
    told = next((dot.settings.pool_size for dot in shown.dots), shown.sizes[0])
    x = [round(math.log10(size), 4) for size in shown.sizes]
    panels = [
        ChartPanel(
            title=title,
            x=x,
            lines=list(_chart_lines(shown, panel.value, told)),
            form=panel.form,
            scale="log" if panel.form == "seconds" else "linear",
            top=_top(shown, panel.value) if panel.form == "share" else None,
        )
        for title, panel in shown.panels.items()
    ]
    return Chart("size", f"pool_size {told}", panels)


def _chart_lines(shown: _Map, value: ValueOf, told: int) -> Iterator[ChartLine]:
    for label, stroke, row in shown.lines():
        known = {cell.settings.pool_size: value(cell) for cell in row}
        values = [known.get(size) for size in shown.sizes]
        yield ChartLine(label, values, None, stroke, rest=known.get(told))
    for dot in shown.dots:
        at, measured = dot.settings.pool_size, value(dot.ran)
        values = [measured if size == at else None for size in shown.sizes]
        yield ChartLine(dot.label, values, dot.number, "dots", rest=measured)


def _top(shown: _Map, value: ValueOf) -> float:
    """The end of a scale of shares."""
    return max(0.01, 1.1 * max(map(value, shown.every)))


def _timeouts(one: PredictedPool | MeasuredPool) -> float:
    return one.timeouts


def _rate(one: PredictedPool | MeasuredPool) -> float:
    return one.throughput if isinstance(one, PredictedPool) else one.served


def _wait(one: PredictedPool | MeasuredPool) -> float:
    return max(one.wait.p95 or 0.0, UNNOTICED)


def _scale_of_waits(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    low, high = axes.dataLim.intervaly
    axes.set_ylim(max(min(low / 2, high / 20), UNNOTICED * 0.7), max(2 * high, 100 * UNNOTICED))
    low, high = axes.get_ylim()
    between = (1.0, 2.0, 5.0) if high < SHORT_SCALE * low else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=between, numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: round_duration(y)))
    axes.yaxis.set_minor_locator(NullLocator())


def _scale_of_rates(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_ylim(0, 1.1 * max(axes.dataLim.y1, 1.0))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))


def _scale_of_shares(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    top = max(1.1 * axes.dataLim.y1, 0.01)
    axes.set_ylim(-0.03 * top, top)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: percent(max(y, 0.0))))


def _scale_of_sizes(axes: Axes, sizes: Sequence[int]) -> None:
    from matplotlib.ticker import NullLocator

    low, high = sizes[0], sizes[-1]
    axes.set_xscale("log")
    axes.set_xlim(low / 1.06, high * 1.06)
    ticks = [tick for tick in SIZE_TICKS if low <= tick <= high]
    ticks = ticks if len(ticks) > 1 else sorted({low, *ticks, high})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


_WAITS, _TIMEOUTS = "wait, p95", "timeouts, share of all checkouts"
_RATES = "checkouts per second"
PANELS: Mapping[str, _Panel] = {
    _WAITS: _Panel(_wait, _scale_of_waits, "seconds"),
    _TIMEOUTS: _Panel(_timeouts, _scale_of_shares, "share"),
    _RATES: _Panel(_rate, _scale_of_rates, "level"),
}
