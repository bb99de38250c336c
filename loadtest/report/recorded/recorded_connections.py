"""Connections of a recorded pool over time, against the limit of its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from loadtest.analysis.columns import Levels
from loadtest.analysis.recordings.clock_time import clock_of
from loadtest.analysis.recordings.recorded_pool import RecordedPool
from loadtest.analysis.units import NO_VALUE, count, plural
from loadtest.analysis.units import level as as_level
from loadtest.model.recording_summary import RecordedPoolSummary
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.chart import MOST_POINTS, Chart, ChartLine, ChartPanel
from loadtest.report.figures.toolkit.drawing import Drawing, Table
from loadtest.report.figures.toolkit.svg import INK, to_svg
from loadtest.report.recorded.time_axis import chart_spans, draw_time_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CONNECTIONS_HELP = (
    "Sums over all processes: the mean in use, with the most in use at once as a shaded area, and "
    "the idle connections. The dotted line is the limit, pool_size and max_overflow of the "
    "processes that were there; it is left out if it is far above. In red times, checkouts waited "
    "because a process had all of its connections in use. In grey times, no process recorded."
)
_MOST_STEPS, _MOST_ROWS = 240, 20
# A mean that is shown as a number; a smaller one is not zero.
_LEAST_SHOWN = 0.05
# A limit further above than this factor is not drawn.
_NEAR = 4
_LIMIT: dict[str, Any] = {"color": INK, "lw": 1.0, "ls": (0, (1, 2))}
_STYLES: dict[str, dict[str, Any]] = {
    "waiting": {"color": INK, "lw": 1.3, "ls": (0, (4, 1.5))},
    "in use": {"lw": 2.0},
    "idle": {"lw": 1.1, "alpha": 0.55},
}


class _Steps(NamedTuple):
    """Levels in steps of equal length; edges: UTC seconds."""

    edges: Levels
    waiting: Levels
    in_use: Levels
    most: Levels
    idle: Levels
    limit: Levels


def draw_connections(
    pool: RecordedPool, summary: RecordedPoolSummary, name: str, number: int = 0
) -> Drawing:
    """The figure under this name. number: of the pool, from 0, which gives its colour."""
    used, allowed = summary.connections.in_use_most, summary.connections.allowed
    of = f" of {count(allowed)}" if allowed else ""
    title = f"At most {count(used)}{of} connections were in use"
    return Drawing(
        name=name,
        title=title,
        alt=f"Connections in use, idle and allowed, and checkouts waiting, over time. {title}; at "
        f"most {plural(summary.connections.waiting_most, 'checkout')} waited at once.",
        help=CONNECTIONS_HELP,
        svg=to_svg(_figure(_steps(pool, _MOST_STEPS), summary, number), name),
        question="Was the pool full?",
        table=_table(_steps(pool, _MOST_ROWS)),
        chart=_chart(_steps(pool, MOST_POINTS), summary, number),
    )


def _steps(pool: RecordedPool, most: int) -> _Steps:
    seconds = pool.by_second
    width = -(-seconds.length // most)
    begins = np.arange(0, seconds.length, width)
    lengths = np.diff([*begins, seconds.length])

    def mean(levels: Levels) -> Levels:
        return np.add.reduceat(levels, begins) / lengths

    return _Steps(
        edges=np.array([*begins, seconds.length], dtype=np.float64) + seconds.begin,
        waiting=mean(seconds.level("waiting")),
        in_use=mean(seconds.level("in_use")),
        most=np.maximum.reduceat(seconds.most("in_use"), begins).astype(np.float64),
        idle=mean(seconds.level("idle")),
        limit=np.maximum.reduceat(seconds.limit, begins),
    )


def _figure(steps: _Steps, summary: RecordedPoolSummary, number: int) -> Figure:
    shade = canvas.pool_colour(number)
    figure, (axes,) = canvas.panels(1, 1.9, left=0.4, right=1.35)
    highest = max(1.0, steps.most.max(), steps.waiting.max(), steps.idle.max())
    limit = steps.limit.max()
    near = limit if limit <= _NEAR * highest else 0.0
    axes.set_ylim(0, 1.15 * max(highest, near))
    _whole_numbers(axes)
    draw_time_axis(axes, summary, labelled=True)
    values = {"waiting": steps.waiting, "in use": steps.in_use, "idle": steps.idle}
    area: dict[str, Any] = {"step": "post", "color": shade, "alpha": 0.15, "lw": 0}
    axes.fill_between(steps.edges, 0, [*steps.most, steps.most[-1]], **area)
    labels, styles = [], []
    if near:
        canvas.draw_steps(axes, steps.limit, steps.edges, _LIMIT)
        labels.append((float(steps.limit[-1]), f"{count(steps.limit[-1])} allowed"))
        styles.append(_LIMIT)
    for name, level in values.items():
        if level.any():
            styles.append({"color": shade, **_STYLES[name]})
            canvas.draw_steps(axes, level, steps.edges, styles[-1])
            mean = float(np.sum(level * np.diff(steps.edges))) / summary.seconds  # without gaps
            labels.append((mean, f"{as_level(mean) if mean >= _LEAST_SHOWN else '< 0.1'} {name}"))
    canvas.label_ends(axes, labels, styles)
    return figure


def _chart(steps: _Steps, summary: RecordedPoolSummary, number: int) -> Chart:
    def mean(level: Levels) -> float:
        return float(np.sum(level * np.diff(steps.edges))) / summary.seconds  # without gaps

    lines = [
        ChartLine("waiting", steps.waiting, stroke="dashed", rest=mean(steps.waiting)),
        ChartLine(
            *("in use", steps.in_use, number),
            rest=mean(steps.in_use),
            low=steps.in_use,
            high=steps.most,
        ),
        ChartLine("idle", steps.idle, number, stroke="thin", rest=mean(steps.idle)),
    ]
    highest = max(1.0, steps.most.max(), steps.waiting.max(), steps.idle.max())
    limit = float(steps.limit.max())
    if limit <= _NEAR * highest:
        last = float(steps.limit[-1])
        lines.append(ChartLine("allowed", steps.limit, stroke="dotted", rest=last))
    panel = ChartPanel("connections", steps.edges[:-1].tolist(), lines, spans=chart_spans(summary))
    return Chart("clock", "mean", [panel])


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: count(y)))
    canvas.draw_grid(axes, "y")


def _table(steps: _Steps) -> Table:
    clock = clock_of(steps.edges[0], steps.edges[-1])
    rows = [
        (
            clock(edge),
            as_level(steps.in_use[n]),
            count(steps.most[n]),
            as_level(steps.idle[n]),
            as_level(steps.waiting[n]),
            count(steps.limit[n]) if np.isfinite(steps.limit[n]) else NO_VALUE,
        )
        for n, edge in enumerate(steps.edges[:-1].tolist())
    ]
    return Table(("from (UTC)", "in use", "most", "idle", "waiting", "allowed"), tuple(rows))
