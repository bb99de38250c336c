"""The wait for a connection at every percentile, far into the tail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loadtest.analysis.censoring import Seconds, Shares, curve
from loadtest.analysis.measured import Measurements
from loadtest.analysis.units import at_least, round_duration
from loadtest.analysis.values import PoolSummary, Summary
from loadtest.report.figures import canvas
from loadtest.report.figures.drawing import Drawing, each, every
from loadtest.report.figures.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = (
    "Further right are the unluckier checkouts: p99 is the wait that one in a hundred exceeds. "
    "Both scales are logarithmic. Waits that had not ended count with the age they had reached; "
    "a curve that stops early says that no more is known."
)
TICKS = {0.30103: "p50", 1.0: "p90", 2.0: "p99", 3.0: "p99.9", 4.0: "p99.99"}
FARTHEST = 4.5


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if nobody asked for a connection."""
    curves = {}
    for number, pool in enumerate(measurements.pools):
        times = pool.times("wait", cut_off_by_waits=True)
        if times.finished.count:
            curves[number] = curve(times)
    if not curves:
        return None
    shown = [summary.pools[number] for number in curves]
    return Drawing(
        name="waits",
        title="19 of 20 checkouts wait at most "
        + each(shown, lambda p: p.checkout.wait_seconds.p95, lambda p: _wait(p, "p95")),
        alt="Wait for a connection by percentile, for p50, p95 and p99.9: "
        + every(shown, lambda pool: " / ".join(_wait(pool, p) for p in ("p50", "p95", "p999"))),
        help=HELP,
        svg=to_svg(_figure(curves, summary), "waits"),
    )


def _wait(pool: PoolSummary, name: str) -> str:
    wait = pool.checkout.wait_seconds
    return at_least(getattr(wait, name), name in wait.at_least)


def _figure(curves: Mapping[int, tuple[Seconds, Shares]], summary: Summary) -> Figure:
    names = [canvas.short(summary.pools[number].name) for number in curves]
    figure, (axes,) = canvas.panels(1, 2.5, left=0.72, right=0.35 + canvas.text_width(names))
    far = max(_farthest(share) for _, share in curves.values())
    _axes(axes, far)
    ends = []
    for name, (number, (seconds, share)) in zip(names, curves.items(), strict=True):
        # A curve rises after the share that it has reached, so the last point is not its end.
        reached = np.concatenate(([0.0], nines(share)))
        x = np.minimum(np.repeat(reached, 2)[1:-1], far)
        y = np.repeat(np.maximum(seconds, 1e-6), 2)
        axes.plot(x, y, color=canvas.colour(number), lw=1.8)
        ends.append((float(y[x < far][-1]), name))
    low, high = np.log10(axes.dataLim.intervaly)
    axes.set_ylim(10 ** np.floor(low), 10 ** max(np.ceil(high), np.floor(low) + 1))
    styles = [{"color": canvas.colour(number), "lw": 2.5} for number in curves]
    canvas.label_ends(axes, ends, styles)
    return figure


def nines(share: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """How many nines a share has: 0.9 has one, 0.99 two."""
    return np.asarray(-np.log10(np.maximum(1 - np.asarray(share), 1e-9)))


def _farthest(share: Shares) -> float:
    below_one = nines(share[share < 1 - 1e-9])
    return float(np.clip(below_one.max(initial=1.0), 1.0, FARTHEST))


def _axes(axes: Axes, far: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    shown = {place: name for place, name in TICKS.items() if place <= far + 0.01}
    axes.set_xlim(0, far)
    axes.set_xticks(list(shown), list(shown.values()))
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=9))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: round_duration(y)))
    axes.yaxis.set_minor_locator(NullLocator())
    canvas.grid(axes, "y")
    canvas.name_x(axes, "percentile of the wait for a connection")
