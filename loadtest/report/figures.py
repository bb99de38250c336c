"""The figures of a report, one function each; what they show is said in their titles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.analysis import kinds
from loadtest.analysis.censoring import curve
from loadtest.analysis.measured import Measurements
from loadtest.analysis.settings import most_connections
from loadtest.analysis.timeline import Timeline, timeline
from loadtest.analysis.units import at_least, count, duration, listed, percent, rate, ratio
from loadtest.analysis.values import PoolSummary, Summary
from loadtest.report.canvas import (
    colour,
    grid,
    label_ends,
    name_x,
    panels,
    rows_of_pools,
    text_width,
    write,
)
from loadtest.report.svg import INK, to_svg

# Phases and kinds of errors are no pools: they begin at the other end of the palette.
_PARTS = tuple(colour(number) for number in (4, 5, 6, 3, 2, 1, 0))
_ROW = 0.42


@dataclass(frozen=True)
class Drawing:
    """A figure for a page: a file name without ending, what it shows, and how to read it."""

    name: str
    title: str
    alt: str
    help: str
    svg: str


def draw(measurements: Measurements, summary: Summary) -> list[Drawing]:
    """All figures that the data has something for."""
    # Imported here, and once: it takes most of a second, and reading a summary needs none of it.
    import matplotlib

    with matplotlib.rc_context({"text.parse_math": False, "font.family": "DejaVu Sans"}):
        drawings = [figure(measurements, summary) for figure in FIGURES]
    return [drawing for drawing in drawings if drawing]


def throughput(measurements: Measurements, summary: Summary) -> Drawing | None:
    """Successful requests per second: a dot a round, the mean and its interval."""
    shown = [n for n, pool in enumerate(summary.pools) if pool.rounds]
    if not shown:
        return None
    names = [summary.pools[n].name for n in shown]
    figure, (axes,) = panels(1, _ROW * len(shown), 0.15 + text_width(names), 0.75)
    rows_of_pools(axes, names)
    for row, number in enumerate(shown):
        dots = [round_.throughput for round_ in measurements.pools[number].rounds]
        beside = row + np.linspace(-0.2, 0.2, len(dots)) if len(dots) > 1 else [row]
        axes.plot(dots, beside, "o", color=colour(number), ms=4, alpha=0.55, mew=0)
        _mean_with_interval(axes, row, summary.pools[number], colour(number))
    axes.set_xlim(0, 1.04 * max(axes.dataLim.x1, 1))
    for row, number in enumerate(shown):
        text = rate(summary.pools[number].throughput.per_second)
        write(axes, 1.02, row, text, transform=axes.get_yaxis_transform(), weight="bold")
    grid(axes, "x")
    name_x(axes, "successful requests per second")
    return Drawing(
        name="throughput",
        title=_throughput_title(summary),
        alt="Successful requests per second of each pool: "
        + _each(summary, lambda pool: rate(pool.throughput.per_second), most=99),
        help="Each dot is a round, the upright line their mean, the bar its 95 % interval. Where "
        "bars are far apart, so are the pools; rounds vary by more than any one round shows.",
        svg=to_svg(figure, "throughput"),
    )


def _mean_with_interval(axes, row: int, pool: PoolSummary, shade: str) -> None:  # type: ignore[no-untyped-def]
    middle, interval = pool.throughput.per_second, pool.throughput.ci95
    if interval:
        axes.plot(np.maximum(interval, 0), [row, row], color=shade, lw=2, solid_capstyle="butt")
    axes.plot([middle, middle], [row - 0.26, row + 0.26], color=shade, lw=2.2)


def _throughput_title(summary: Summary) -> str:
    ranked = sorted(
        (pool for pool in summary.pools if pool.rounds),
        key=lambda pool: pool.throughput.per_second or 0,
    )
    best, worst = ranked[-1], ranked[0]
    title = f"{best.name} does {rate(best.throughput.per_second)} requests per second"
    most, least = best.throughput.per_second or 0, worst.throughput.per_second or 0
    if not least or most < 1.02 * least:
        return title
    return f"{title}, {ratio(most / least)} times {worst.name}"


def waits(measurements: Measurements, summary: Summary) -> Drawing | None:
    """The wait for a connection at every percentile, far into the tail."""
    curves = {}
    for number, pool in enumerate(measurements.pools):
        times = pool.times("wait", cut_off_by_waits=True)
        if times.finished.count:
            curves[number] = curve(times)
    if not curves:
        return None
    names = [summary.pools[n].name for n in curves]
    figure, (axes,) = panels(1, 2.5, 0.72, 0.35 + text_width(names))
    far = max(min(_nines(share[share < 1].max(initial=0.5)), 5.0) for _, share in curves.values())
    ends = []
    for number, (seconds, share) in curves.items():
        seen = np.concatenate(([0.0], share[:-1])) < 1 - 10.0**-far
        x, y = _nines(np.append(0.0, share[seen])), np.maximum(seconds[seen], 1e-6)
        axes.plot(np.minimum(x, far), np.append(y[0], y), color=colour(number), lw=1.8)
        ends.append((float(y[-1]), summary.pools[number].name))
    _percentile_axes(axes, far)
    label_ends(axes, ends, [{"color": colour(number), "lw": 2.5} for number in curves])
    return Drawing(
        name="waits",
        title="19 of 20 checkouts wait at most "
        + _each(summary, lambda p: _bounded(p.checkout.wait_seconds, "p95")),
        alt="Wait for a connection by percentile. Median, p95 and p99.9: "
        + _each(summary, _three_waits, most=99),
        help="Further right are the unluckier checkouts: p99 is the wait that one in a hundred "
        "exceeds. Both scales are logarithmic. Waits that had not ended count with the age they "
        "had reached; a curve that stops short of the right edge says that no more is known.",
        svg=to_svg(figure, "waits"),
    )


def _nines(share):  # type: ignore[no-untyped-def]
    """How many nines a share has: 0.9 is 1, 0.99 is 2."""
    return -np.log10(np.maximum(1 - np.asarray(share), 1e-9))


def _percentile_axes(axes, far: float) -> None:  # type: ignore[no-untyped-def]
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ticks = {0.0: "0", 0.30103: "p50", 1.0: "p90", 2.0: "p99", 3.0: "p99.9", 4.0: "p99.99"}
    shown = {place: name for place, name in ticks.items() if place <= far + 0.01}
    axes.set_xlim(0, far)
    axes.set_xticks(list(shown), list(shown.values()))
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=9))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: duration(y)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    grid(axes, "y")
    name_x(axes, "percentile of the wait for a connection")


def _bounded(durations, name: str) -> str:  # type: ignore[no-untyped-def]
    return at_least(getattr(durations, name), name in durations.at_least)


def _three_waits(pool: PoolSummary) -> str:
    wait = pool.checkout.wait_seconds
    return ", ".join(_bounded(wait, name) for name in ("p50", "p95", "p999"))


def connections(measurements: Measurements, summary: Summary) -> Drawing | None:
    """Connections and waiting users through the run, a panel for each pool."""
    gauges = ("in_use", "idle", "overflow", "waiting")
    lines = {n: timeline(pool, gauges) for n, pool in enumerate(measurements.pools) if pool.rounds}
    lines = {number: line for number, line in lines.items() if line.levels}
    if not lines:
        return None
    figure, rows = panels(len(lines), 1.25, 0.5, 1.25, gap=0.34)
    highest = max(level.max() for line in lines.values() for level in line.levels.values())
    for axes, (number, line) in zip(rows, lines.items(), strict=True):
        _levels(axes, line, colour(number), max(highest, 1))
        _limit(axes, summary.pools[number], highest)
        write(axes, 0, 1.1, summary.pools[number].name, transform=axes.transAxes, weight="bold")
    name_x(rows[-1], "seconds since measuring began (median of the rounds)")
    return Drawing(
        name="connections",
        title="At most "
        + _each(summary, lambda pool: count(pool.connections.peak), "connections with"),
        alt="Connections in use, idle and overflow and users waiting over time. Peaks of "
        "connections and waiting users: "
        + _each(
            summary,
            lambda p: f"{count(p.connections.peak)} and {count(p.connections.waiting_peak)}",
            most=99,
        ),
        help="The vertical scale is logarithmic above 1 and the same for all pools. The dotted "
        "line is the most that the pool may open. Grey is warm-up and drain, which do not count. "
        "Connections at the limit with users waiting mean a pool that is the bottleneck, or one "
        "that protects the database from a worse one.",
        svg=to_svg(figure, "connections"),
    )


_LEVELS = {
    "in_use": ("in use", {"lw": 2.2}),
    "idle": ("idle", {"lw": 1.2, "alpha": 0.55}),
    "overflow": ("overflow", {"lw": 1.6, "ls": (0, (1, 1))}),
    "waiting": ("waiting", {"lw": 1.4, "ls": (0, (4, 1.5)), "color": INK}),
}


def _levels(axes, line: Timeline, shade: str, highest: float) -> None:  # type: ignore[no-untyped-def]
    from matplotlib.ticker import FuncFormatter

    axes.set_yscale("symlog", linthresh=1, linscale=0.5)
    axes.set_ylim(-0.15, 1.6 * highest)
    axes.set_yticks([0, *(10**n for n in range(6) if 10**n <= 1.6 * highest)], minor=False)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: count(y)))
    axes.yaxis.set_minor_locator(__import__("matplotlib.ticker").ticker.NullLocator())
    grid(axes, "y")
    edges = [*line.seconds, line.seconds[-1] + 1]
    axes.set_xlim(edges[0], edges[-1])
    for low, high in ((edges[0], 0), (line.measured, edges[-1])):
        if high > low:
            axes.axvspan(low, high, color=INK, alpha=0.07, lw=0)
    styles = {name: {"color": shade, **_LEVELS[name][1]} for name in line.levels}
    ends = []
    for name, level in line.levels.items():
        axes.stairs(level, edges, baseline=None, **styles[name])
        typical = float(np.median(level[max(0, -edges[0]) :][: line.measured]))
        ends.append((typical, f"{_LEVELS[name][0]} {count(typical)}"))
    label_ends(axes, ends, list(styles.values()))


def _limit(axes, pool: PoolSummary, highest: float) -> None:  # type: ignore[no-untyped-def]
    most = most_connections(pool.pool)
    if most is not None and most <= 1.6 * highest:
        axes.axhline(most, color=INK, lw=0.9, ls=(0, (1, 2)))


def phases(measurements: Measurements, summary: Summary) -> Drawing | None:
    """Where the time goes between asking for a connection and giving it back, on average."""
    parts = {pool.name: _phases(pool) for pool in summary.pools if pool.checkout.count}
    shown = [name for name in _PHASES if any(part[name] > 0 for part in parts.values())]
    if not parts or not shown:
        return None
    figure, (axes,) = panels(1, _ROW * len(parts), 0.15 + text_width(list(parts)), 0.75)
    longest = max(sum(part.values()) for part in parts.values())
    values = {name: [part[name] for part in parts.values()] for name in shown}
    _stacked(axes, values, list(parts), dict(zip(_PHASES, (*_PARTS[:3], INK), strict=True)))
    _time_axis(axes, longest)
    for row, part in enumerate(parts.values()):
        write(axes, sum(part.values()) + 0.012 * longest, row, duration(sum(part.values())))
    name_x(axes, "mean time of one checkout, from asking to giving back")
    return Drawing(
        name="phases",
        title="A connection is held for "
        + _each(summary, lambda pool: duration(pool.hold_seconds.mean)),
        alt="Mean time waiting, connecting, pinging and holding of each pool. Waiting and holding: "
        + _each(summary, _wait_and_hold, most=99),
        help="Waiting for a connection is the pool's queue; holding one is the application's work "
        "and the database's. Holds that grow with the pool mean that transactions get in each "
        "other's way inside the database.",
        svg=to_svg(figure, "phases"),
    )


_PHASES = ("waiting", "connecting", "pinging", "holding")


def _phases(pool: PoolSummary) -> dict[str, float]:
    """Mean seconds a checkout; connects and pings spread over all checkouts, most have none."""
    checkout = pool.checkout
    wait = checkout.wait_seconds.mean or 0.0
    more = max((checkout.seconds.mean or 0.0) - wait, 0.0)
    connect = min(checkout.connect_share * 1.0, more) if False else more  # placeholder
    return dict(zip(_PHASES, (wait, connect, 0.0, pool.hold_seconds.mean or 0.0), strict=True))


def _wait_and_hold(pool: PoolSummary) -> str:
    held = duration(pool.hold_seconds.mean)
    return f"{duration(pool.checkout.wait_seconds.mean)} and {held}"
