"""The time of a recording as the horizontal axis of a figure, in UTC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from loadtest.analysis.recordings.clock_time import clock_of
from loadtest.model.recording_summary import RecordedPoolSummary, TimeSpan
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.svg import FAULT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TICKS = 4
# The visible parts in the width of the figure.
MOST_SPANS = 600
_DAY = 86_400
_STEPS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 3 * 3600, 6 * 3600, 12 * 3600, _DAY),
)


def draw_time_axis(axes: Axes, pool: RecordedPoolSummary, *, labelled: bool) -> None:
    """Draw the axis over the time of a pool; full times are red and gaps grey.

    labelled: whether it is the lowest of several panels.
    """
    axes.set_xlim(pool.begin, pool.end)
    pixel = (pool.end - pool.begin) / MOST_SPANS
    for begin, end in joined_spans(pool.full, pixel):
        axes.axvspan(begin, end, color=FAULT, alpha=0.14, lw=0)
    for begin, end in joined_spans(pool.gaps, pixel):
        axes.axvspan(begin, end, color=INK, alpha=0.07, lw=0)
    step = tick_seconds(pool.end - pool.begin)
    ticks = np.arange(math.ceil(pool.begin / step) * step, pool.end + 1, step)
    clock = clock_of(pool.begin, pool.end)
    seconds = "" if step < 60 else ":00"
    axes.set_xticks(ticks, [clock(tick).removesuffix(seconds) for tick in ticks.tolist()])
    axes.tick_params(axis="x", labelbottom=labelled, pad=5)  # a telephone's letters are larger
    if labelled:
        canvas.label_x(axes, "time (UTC)", loc="left")


def chart_spans(pool: RecordedPoolSummary) -> list[tuple[float, float, str]]:
    """Full times and gaps, to be shaded in a chart."""
    pixel = (pool.end - pool.begin) / MOST_SPANS
    full = [(*span, "full") for span in joined_spans(pool.full, pixel)]
    return [*full, *((*span, "aside") for span in joined_spans(pool.gaps, pixel))]


def joined_spans(spans: Sequence[TimeSpan], gap: float) -> list[tuple[float, float]]:
    """Begin and end of some times in order; those with shorter gaps (s) are one."""
    found: list[tuple[float, float]] = []
    for span in spans:
        if found and span.begin - found[-1][1] < gap:
            found[-1] = found[-1][0], span.end
        else:
            found.append((span.begin, span.end))
    return found


def tick_seconds(seconds: int) -> int:
    """The distance of ticks on an axis of this length."""
    fitting = (step for step in _STEPS if seconds / step <= MOST_TICKS)
    return next(fitting, math.ceil(seconds / MOST_TICKS / _DAY) * _DAY)
