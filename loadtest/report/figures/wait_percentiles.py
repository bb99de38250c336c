"""The wait for a connection at every percentile, far into the tail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.statistics.censoring import (
    CurveSeconds,
    CurveShares,
    distribution_curve,
    time_at_share,
)
from loadtest.analysis.units import NO_VALUE, at_least, duration, marked_duration, round_duration
from loadtest.model.summary import PoolSummary, Summary
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.chart import Chart, ChartLine, ChartPanel, chart_stroke
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
    "Longer waits are further to the right: one in a hundred checkouts waits longer than p99. "
    "Both scales are logarithmic. Waits that had not ended count with the age they had reached. "
    "Where a curve stops early, no more is known."
)
FAINT = " Faint lines are not valid."
PERCENTILE_TICKS = {0.30103: "p50", 1.0: "p90", 2.0: "p99", 3.0: "p99.9", 4.0: "p99.99"}
FARTHEST = 4.0
_POINTS = 241

Curve = tuple[CurveSeconds, CurveShares]


def draw(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The figure; None if there were no waits."""
    curves = {}
    for number, pool in enumerate(measurements.pools):
        times = pool.times("wait", cut_off_by_waits=True)
        if times.finished.count:
            curves[number] = distribution_curve(times)
    if not curves:
        return None
    shown = [summary.pools[number] for number in curves]
    longest = max(pool.checkout.wait_seconds.max or 0.0 for pool in shown)
    waited = longest >= UNNOTICED
    nothing = f"No checkout waited for {round_duration(UNNOTICED)} or longer"
    return Drawing(
        name="waits",
        title=_title(valid_or_all(shown)) if waited else nothing,
        alt="Wait for a connection by percentile, for p50, p95 and p99.9: "
        + for_every_pool(
            shown, lambda pool: " / ".join(_wait(pool, p) for p in ("p50", "p95", "p999"))
        ),
        help=HELP + FAINT * any(not pool.valid for pool in shown) if waited else "",
        svg=to_svg(_figure(curves, summary), "waits") if waited else "",
        question="How long do checkouts wait?",
        table=_table(shown, curves),
        chart=_chart(curves, summary) if waited else None,
    )


def _title(pools: Sequence[PoolSummary]) -> str:
    """The p95 of the wait. With a lower bound the title is true, too."""

    def p95(pool: PoolSummary) -> float | None:
        return pool.checkout.wait_seconds.p95

    said = for_title(pools, p95, lambda pool: duration(p95(pool)), link="or longer")
    return f"1 in 20 checkouts waits {said}"


def _wait(pool: PoolSummary, name: str) -> str:
    return marked_duration(pool.checkout.wait_seconds, name)


def _figure(curves: Mapping[int, Curve], summary: Summary) -> Figure:
    names = [canvas.shortened(summary.pools[number].name) for number in curves]
    right = 0.35 + canvas.text_width(names)
    height = max(2.5, 0.15 * len(names))  # the names stand one under the other
    figure, (axes,) = canvas.panels(1, height, left=0.72, right=right, above=0.1)
    far = max(_farthest(share) for _, share in curves.values())
    ends = []
    for name, (number, (seconds, share)) in zip(names, curves.items(), strict=True):
        # A curve rises after the share that it has reached, so the last point is not its end.
        passed = np.concatenate(([0.0], nines(share)))
        x = np.repeat(passed, 2)[1:-1]
        y = np.repeat(np.maximum(seconds, 1e-6), 2)
        inside = x < far
        if not inside.all():  # else the last rise would lie on the edge
            x, y = np.append(x[inside], far), np.append(y[inside], y[inside][-1])
        axes.plot(x, y, lw=1.8, **_look(number, summary))
        ends.append((float(y[-1]), name))
    _axes(axes, far)
    styles = [{"lw": 2.5, **_look(number, summary)} for number in curves]
    canvas.label_ends(axes, ends, styles)
    return figure


def _chart(curves: Mapping[int, Curve], summary: Summary) -> Chart:
    far = max(_farthest(share) for _, share in curves.values())
    x = [round(place, 3) for place in np.linspace(0, far, _POINTS).tolist()]
    shares = [1 - 10**-place for place in x]
    lines = [
        ChartLine(
            label=summary.pools[number].name,
            values=[time_at_share(seconds, share, one) for one in shares],
            pool=number,
            stroke=chart_stroke(number),
            rest=summary.pools[number].checkout.wait_seconds.p95,
            faint=not summary.pools[number].valid,
        )
        for number, (seconds, share) in curves.items()
    ]
    panel = ChartPanel("wait", x, lines, form="seconds", scale="log")
    return Chart("percentile", "p95", [panel])


def _look(number: int, summary: Summary) -> dict[str, Any]:
    return {**canvas.line_style(number), "alpha": 1.0 if summary.pools[number].valid else 0.4}


def nines(share: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """How many nines a share has: 0.9 has one, 0.99 two."""
    return np.asarray(-np.log10(np.maximum(1 - np.asarray(share), 1e-9)))


def _farthest(share: CurveShares) -> float:
    below_one = nines(share[share < 1 - 1e-9])
    return float(np.clip(below_one.max(initial=1.0), 1.0, FARTHEST))


def _axes(axes: Axes, far: float) -> None:
    shown = {place: name for place, name in PERCENTILE_TICKS.items() if place <= far + 0.01}
    axes.set_xlim(0, far)
    axes.set_xticks(list(shown), list(shown.values()))
    canvas.log_seconds(axes, "y", 9)
    canvas.draw_grid(axes, "y")
    canvas.label_x(axes, "percentile of the wait for a connection")


def _table(pools: Sequence[PoolSummary], curves: Mapping[int, Curve]) -> Table:
    named = ("p50", "p90", "p95", "p99", "p999")
    rows = [
        (
            pool.name,
            *(_wait(pool, name) for name in named),
            _p9999(pool, *curves[number]),
            _wait(pool, "max"),
        )
        for number, pool in zip(curves, pools, strict=True)
    ]
    return Table(("pool", "p50", "p90", "p95", "p99", "p99.9", "p99.99", "longest"), tuple(rows))


def _p9999(pool: PoolSummary, seconds: CurveSeconds, share: CurveShares) -> str:
    """The wait that one in ten thousand exceeds; no value with fewer checkouts."""
    wait, longest = time_at_share(seconds, share, 0.9999), pool.checkout.wait_seconds.max
    if wait is None or longest is None:
        return at_least(longest, True)
    bounded = "p999" in pool.checkout.wait_seconds.at_least
    return at_least(min(wait, longest), bounded) if pool.checkout.count >= 10_000 else NO_VALUE
