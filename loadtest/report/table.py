"""The numbers of the pools side by side: one column a pool, lines in groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loadtest.analysis.settings import SQLALCHEMY_DEFAULTS, spelled_out
from loadtest.analysis.units import NOTHING, at_least, count, duration, percent, rate
from loadtest.analysis.values import Durations, PoolSummary, Summary

Cell = Callable[[PoolSummary], str]


@dataclass(frozen=True)
class Line:
    """A line of the table: what it is, and the value of each pool."""

    label: str
    values: tuple[str, ...]
    note: tuple[str, ...] = ()
    strong: bool = False


@dataclass(frozen=True)
class Group:
    """Some lines under a heading."""

    heading: str
    lines: tuple[Line, ...]


def bound(times: Durations, name: str) -> str:
    """A value of a distribution, with `≥` where it is a lower bound."""
    return at_least(getattr(times, name), name in times.at_least)


def interval(pool: PoolSummary) -> str:
    """The 95 % interval of the throughput, empty if there is none."""
    ci95 = pool.throughput.ci95
    return f"{rate(max(ci95[0], 0))} – {rate(ci95[1])}" if ci95 else ""


def groups(summary: Summary) -> list[Group]:
    """The whole table, from what was set to how good the measurement was."""

    def line(label: str, cell: Cell, note: Cell | None = None, strong: bool = False) -> Line:
        notes = tuple(note(pool) for pool in summary.pools) if note else ()
        return Line(label, tuple(cell(pool) for pool in summary.pools), notes, strong)

    waits = [
        line(f"wait, {p}", lambda pool, p=p: bound(pool.checkout.wait_seconds, p))  # type: ignore[misc]
        for p in ("p50", "p95", "p99")
    ]
    return [
        Group("Settings", _settings(summary)),
        Group(
            "Work",
            (
                line("successful requests per second", _throughput, interval, strong=True),
                line("request, p95", lambda pool: bound(pool.request_seconds, "p95")),
                line("failed requests", lambda pool: percent(pool.errors.rate)),
            ),
        ),
        Group(
            "Waiting for a connection",
            (
                *waits,
                line("timed out", lambda pool: count(pool.checkout.timeouts)),
                line("unfinished at the end", lambda pool: count(pool.checkout.unfinished)),
            ),
        ),
        Group(
            "Connections",
            (
                line("held for, mean", lambda pool: duration(pool.hold_seconds.mean)),
                line("most at once", lambda pool: count(pool.connections.peak)),
                line("most in overflow", lambda pool: count(pool.connections.overflow_peak)),
                line("opened while measured", lambda pool: count(pool.connections.opened)),
            ),
        ),
        Group(
            "Measurement",
            (
                line("generator CPU", lambda pool: percent(pool.generator.cpu)),
                line("rounds", lambda pool: count(pool.rounds)),
                line("seconds measured", lambda pool: rate(pool.seconds)),
            ),
        ),
    ]


def _settings(summary: Summary) -> tuple[Line, ...]:
    """Both sizes and every other setting that differs from SQLAlchemy's default in some pool."""
    said = [spelled_out(pool.pool) for pool in summary.pools]
    names = dict.fromkeys(name for settings in said for name in settings)
    return tuple(
        Line(name, tuple(settings.get(name, _default(name)) for settings in said)) for name in names
    )


def _default(name: str) -> str:
    return str(SQLALCHEMY_DEFAULTS.get(name, NOTHING))


def _throughput(pool: PoolSummary) -> str:
    return rate(pool.throughput.per_second)
