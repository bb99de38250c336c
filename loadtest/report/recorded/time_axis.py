"""The time of a recording as the horizontal axis of a figure, in UTC."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from loadtest.analysis.recordings.clock_time import clock_time
from loadtest.model.recording_summary import RecordedPoolSummary
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.svg import FAULT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TICKS = 4
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
    for span in pool.full:
        axes.axvspan(span.begin, span.end, color=FAULT, alpha=0.14, lw=0)
    for gap in pool.gaps:
        axes.axvspan(gap.begin, gap.end, color=INK, alpha=0.07, lw=0)
    step = tick_seconds(pool.end - pool.begin)
    ticks = np.arange(math.ceil(pool.begin / step) * step, pool.end + 1, step)
    letters = 8 if step < 60 else 5
    axes.set_xticks(ticks, [clock_time(tick)[:letters] for tick in ticks.tolist()])
    axes.tick_params(axis="x", labelbottom=labelled)
    if labelled:
        canvas.label_x(axes, "time (UTC)", loc="left")


def tick_seconds(seconds: int) -> int:
    """The distance of ticks on an axis of this length."""
    fitting = (step for step in _STEPS if seconds / step <= MOST_TICKS)
    return next(fitting, math.ceil(seconds / MOST_TICKS / _DAY) * _DAY)
