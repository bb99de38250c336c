"""The wait for a connection and the timeouts over the sizes of a pool, as predicted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from loadtest.analysis.prediction.measured_pool import MeasuredPool
from loadtest.analysis.prediction.whatif import PredictedPool, Prediction
from loadtest.analysis.units import duration, percent, round_duration
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.drawing import Drawing
from loadtest.report.figures.toolkit.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PREDICTED = "Lines are predicted; none of these settings was measured."
MEASURED = (
    "Lines are predicted, dots were measured. The distance between dots and their line shows how "
    "far you can trust the line."
)
SCALES = (
    "The scales of pool_size and of the wait are logarithmic. Waits below 0.1 ms are drawn at "
    "0.1 ms."
)
# Seconds. Shorter waits do not matter, but would fill a logarithmic scale.
LEAST_WAIT = 1e-4
# A scale of waits that spans less than this factor has numbers between the powers of ten.
SHORT_SCALE = 50
SIZE_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)

ValueOf = Callable[[PredictedPool | MeasuredPool], float]


def draw(prediction: Prediction) -> Drawing:
    """The figure of a prediction with at least one cell."""
    import matplotlib

    ranked = sorted(prediction.cells, key=lambda cell: cell.wait.p95 or 0.0)
    best, worst = ranked[0], ranked[-1]
    overflows = _overflows(prediction)
    dots = any(True for overflow in overflows for _ in _measured(prediction, overflow))
    said = f"at most {duration(worst.wait.p95)} with {short_form(worst)}"
    if (best.wait.p95 or 0.0) < (worst.wait.p95 or 0.0):
        said += f" and {duration(best.wait.p95)} with {short_form(best)}"
    with matplotlib.rc_context({"text.parse_math": False, "font.family": "DejaVu Sans"}):
        svg = to_svg(_figure(prediction), "whatif")
    return Drawing(
        name="whatif",
        title=f"Predicted: 19 of 20 checkouts wait {said}",
        alt="Predicted p95 of the wait, share of timeouts and checkouts per second, by pool_size "
        "and max_overflow. The table has the numbers",
        help=f"{MEASURED if dots else PREDICTED} {SCALES}",
        svg=svg,
    )


def short_form(cell: PredictedPool) -> str:
    """A pool in its short form: `20+0`, `20+inf`."""
    return f"{cell.settings.pool_size}+{_overflow(cell.settings.max_overflow)}"


def _overflow(most: int) -> str:
    return "inf" if most == -1 else str(most)


def _overflows(prediction: Prediction) -> list[int]:
    return list(dict.fromkeys(cell.settings.max_overflow for cell in prediction.cells))


def _figure(prediction: Prediction) -> Figure:
    overflows = _overflows(prediction)
    labels = [f"overflow {_overflow(overflow)}" for overflow in overflows]
    room = 0.35 + canvas.text_width(labels)
    figure, rows = canvas.panels(len(PANELS), 1.5, left=0.72, right=room, gap=0.34)
    for axes, (title, (value, scale)) in zip(rows, PANELS.items(), strict=True):
        _draw(axes, prediction, overflows, value)
        scale(axes)
        canvas.draw_grid(axes, "y")
        canvas.write_text(axes, 0, 1.1, title, transform=axes.transAxes, weight="bold")
        _scale_of_sizes(axes, [cell.settings.pool_size for cell in prediction.cells])
        _label(axes, prediction, overflows, labels, value)
    for axes in rows[:-1]:
        axes.tick_params(axis="x", labelbottom=False)
    canvas.label_x(rows[-1], "pool_size")
    return figure


def _timeouts(one: PredictedPool | MeasuredPool) -> float:
    return one.timeouts


def _rate(one: PredictedPool | MeasuredPool) -> float:
    return one.throughput if isinstance(one, PredictedPool) else one.served


def _wait(one: PredictedPool | MeasuredPool) -> float:
    return max(one.wait.p95 or 0.0, LEAST_WAIT)


def _draw(axes: Axes, prediction: Prediction, overflows: Sequence[int], value: ValueOf) -> None:
    """Draw a line for each overflow, and dots for the measured pools with it."""
    for number, overflow in enumerate(overflows):
        row, shade = _row(prediction, overflow), canvas.pool_colour(number)
        sizes = [cell.settings.pool_size for cell in row]
        marker = "_" if len(row) == 1 else ""
        axes.plot(sizes, [value(cell) for cell in row], color=shade, lw=1.8, marker=marker)
        for size, ran in _measured(prediction, overflow):
            axes.plot([size], [value(ran)], "o", color=shade, ms=5, mew=0)


def _row(prediction: Prediction, overflow: int) -> list[PredictedPool]:
    row = [cell for cell in prediction.cells if cell.settings.max_overflow == overflow]
    return sorted(row, key=lambda cell: cell.settings.pool_size)


def _measured(prediction: Prediction, overflow: int) -> Iterator[tuple[int, MeasuredPool]]:
    """The measured pools with this overflow whose size lies in the map."""
    shown = {cell.settings for cell in prediction.cells}
    for ran, cell in prediction.checks:
        if cell.settings in shown and cell.settings.max_overflow == overflow:
            yield cell.settings.pool_size, ran


def _label(
    axes: Axes,
    prediction: Prediction,
    overflows: Sequence[int],
    labels: Sequence[str],
    value: ValueOf,
) -> None:
    ends = [
        (value(_row(prediction, overflow)[-1]), label)
        for overflow, label in zip(overflows, labels, strict=True)
    ]
    styles = [{"color": canvas.pool_colour(number), "lw": 2.5} for number in range(len(ends))]
    canvas.label_ends(axes, ends, styles)


def _scale_of_waits(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    low, high = axes.dataLim.intervaly
    axes.set_ylim(max(min(low / 2, high / 20), LEAST_WAIT * 0.7), max(2 * high, 100 * LEAST_WAIT))
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

    low, high = min(sizes), max(sizes)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.06, high * 1.06)
    ticks = [tick for tick in SIZE_TICKS if low <= tick <= high]
    ticks = ticks if len(ticks) > 1 else sorted({low, *ticks, high})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


PANELS: Mapping[str, tuple[ValueOf, Callable[[Axes], None]]] = {
    "wait, p95": (_wait, _scale_of_waits),
    "timeouts, share of all checkouts": (_timeouts, _scale_of_shares),
    "checkouts per second": (_rate, _scale_of_rates),
}
