"""The numbers of each pool while its rounds go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from loadtest.analysis.statistics.estimate import interval95, mean
from loadtest.analysis.units import NO_VALUE, duration, percent, rate
from loadtest.model.distribution import Distribution
from loadtest.model.interval import Interval, total


@dataclass
class _Measured:
    """The ended runs of a pool: the throughput of each, and the sum of their measured seconds."""

    per_second: list[float] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)

    def add(self, run: Interval) -> None:
        self.per_second.append(_ok(run) / (run.length / 1e9))
        self.intervals = [total([*self.intervals, run])]


class RoundTable:
    """The numbers of each pool, a row that changes with each of its runs.

    The waits of users that still wait are not among them, unlike in a summary. rounds: the planned
    number; None if the results decide it.
    """

    def __init__(self, pools: list[str], rounds: int | None) -> None:
        self._pools = {name: _Measured() for name in pools}
        self._planned = "" if rounds is None else f"/{rounds}"
        self._run: list[Interval] = []

    def take(self, interval: Interval) -> None:
        """Take an interval of the current run; only measured ones count."""
        if interval.period == "measured":
            self._run.append(interval)

    def forget(self) -> None:
        """Leave out the current run, which failed or is repeated."""
        self._run.clear()

    def end(self, pool: str) -> str:
        """Add the current run to its pool; returns it in words, empty if it measured nothing."""
        run = total(self._run)
        self._run.clear()
        if not run.length:
            return ""
        self._pools.setdefault(pool, _Measured()).add(run)
        ok = rate(_ok(run) / (run.length / 1e9))
        return f"{ok} ok/s, {time_column(run)} {shown_time(run)}, {_errors(run)} errors"

    def columns(self) -> tuple[str, ...]:
        """The names of the columns of `rows`."""
        measured = [run for pool in self._pools.values() for run in pool.intervals]
        time = time_column(measured[0] if measured else None)
        return ("pool", "rounds", "ok/s", "95 % interval", time, "errors", "CPU")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The cells of each pool, under `columns`."""
        for name, measured in self._pools.items():
            rounds = f"{len(measured.per_second)}{self._planned}"
            yield (name, rounds, *_cells(measured))


def _cells(measured: _Measured) -> tuple[str, ...]:
    if not measured.intervals:
        return (NO_VALUE, "", NO_VALUE, NO_VALUE, NO_VALUE)
    (run,), ci95 = measured.intervals, interval95(measured.per_second)
    return (
        rate(mean(measured.per_second)),
        f"{rate(max(ci95[0], 0))} – {rate(ci95[1])}" if ci95 else "",
        shown_time(run),
        _errors(run),
        percent(run.counters["cpu"] / run.length),
    )


def _ok(run: Interval) -> int:
    return run.counters["requests"] - run.counters["failures"]


def time_column(run: Interval | None) -> str:
    """The name of the time that is shown: the wait, or the request if another process waits."""
    return f"{_shown(run)} p95"


def shown_time(run: Interval) -> str:
    """The p95 under that name."""
    return duration(run.histograms.get(_shown(run), Distribution()).percentile_seconds(95))


def _shown(run: Interval | None) -> str:
    times = run.histograms if run else {}
    return "request" if "request" in times and "wait" not in times else "wait"


def _errors(run: Interval) -> str:
    requests = run.counters["requests"]
    return percent(run.counters["failures"] / requests if requests else None)
