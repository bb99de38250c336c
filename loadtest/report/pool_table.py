"""The numbers of the pools side by side: a column per pool, lines in groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from loadtest.analysis.comparison.objective_check import MET_IN_WORDS, value_in_units
from loadtest.analysis.pool_settings import changed_settings, default_in_python, spelled_out
from loadtest.analysis.units import NO_VALUE, count, duration, level, marked_duration, percent, rate
from loadtest.model.pool import PoolSettings
from loadtest.model.summary import ObjectiveResult, PoolSummary, Summary

CellText = Callable[[PoolSummary], str]


@dataclass(frozen=True)
class TableLine:
    """A line of the table: its label, and the value of each pool."""

    label: str
    values: tuple[str, ...]
    note: tuple[str, ...] = ()
    strong: bool = False


@dataclass(frozen=True)
class LineGroup:
    """Some lines under a heading."""

    heading: str
    lines: tuple[TableLine, ...]


def throughput_interval(pool: PoolSummary) -> str:
    """The 95 % interval of the throughput, empty if there are too few rounds."""
    ci95 = pool.shown_ci95
    return f"{rate(max(ci95[0], 0))} – {rate(ci95[1])}" if ci95 else ""


def _wait(percentile: str) -> CellText:
    return lambda pool: marked_duration(pool.checkout.wait_seconds, percentile)


def _level(mean: float | None) -> str:
    return NO_VALUE if mean is None else level(mean)


def _arrivals(pool: PoolSummary, name: str) -> str:
    return rate(getattr(pool.arrivals, name)) if pool.arrivals else NO_VALUE


def _allowed(pool: PoolSummary) -> str:
    return "no limit" if pool.connections.allowed is None else count(pool.connections.allowed)


_THROUGHPUT = "successful requests per second"
_OPEN_LOOP = "Open loop"
_PROCESSES = "Processes, each with such a pool"
_DATABASE = "Database"
_LINES: Mapping[str, Mapping[str, CellText]] = {
    "Requests": {
        _THROUGHPUT: lambda pool: rate(pool.throughput.per_second),
        "request, p95": lambda pool: marked_duration(pool.request_seconds, "p95"),
        "failed requests": lambda pool: percent(pool.errors.rate),
        "retries": lambda pool: count(pool.retries.count),
    },
    _OPEN_LOOP: {
        "offered rate, per second": lambda pool: _arrivals(pool, "offered_per_second"),
        "achieved rate, per second": lambda pool: _arrivals(pool, "begun_per_second"),
        "arrivals dropped": lambda pool: count(pool.dropped),
        "schedule lag, p50": lambda pool: marked_duration(pool.schedule_lag_seconds, "p50"),
        "schedule lag, p99": lambda pool: marked_duration(pool.schedule_lag_seconds, "p99"),
    },
    _PROCESSES: {
        "processes at once": lambda pool: count(pool.processes),
        "connections allowed in total": _allowed,
    },
    "Waiting for a connection": {
        "wait, p50": _wait("p50"),
        "wait, p95": _wait("p95"),
        "wait, p99": _wait("p99"),
        "timeouts": lambda pool: count(pool.checkout.timeouts),
        "unfinished at the end": lambda pool: count(pool.checkout.unfinished),
    },
    "Connections": {
        "hold, mean": lambda pool: duration(pool.hold_seconds.mean),
        "peak": lambda pool: count(pool.connections.peak),
        "peak overflow": lambda pool: count(pool.connections.overflow_peak),
        "opened while measuring": lambda pool: count(pool.connections.opened),
    },
    _DATABASE: {
        "queries running, mean": lambda pool: _level(pool.server.running),
        "waiting for row locks, mean": lambda pool: _level(pool.server.row_lock_waiters),
        "server CPU (of the machine)": lambda pool: percent(pool.server.cpu),
    },
    "Measurement": {
        "load generator CPU": lambda pool: percent(pool.generator.cpu),
        "event-loop lag, p99": lambda pool: duration(pool.generator.lag_p99_seconds),
        "rounds": lambda pool: count(pool.rounds),
        "seconds measured": lambda pool: rate(pool.seconds),
    },
}


def line_groups(summary: Summary) -> list[LineGroup]:
    """The whole table, from the settings to the quality of the measurement."""
    shown = {
        _OPEN_LOOP: any(pool.arrivals for pool in summary.pools),
        _PROCESSES: any(pool.processes > 1 for pool in summary.pools),
        _DATABASE: any(pool.server.known for pool in summary.pools),
    }
    measured = [
        LineGroup(heading, tuple(_line(summary, label, cell) for label, cell in lines.items()))
        for heading, lines in _LINES.items()
        if shown.get(heading, True)
    ]
    objective = (
        [LineGroup("Objective", _objectives(summary))] if summary.pools[0].objectives else []
    )
    return [LineGroup("Settings", _settings(summary)), *objective, *measured]


def _objectives(summary: Summary) -> tuple[TableLine, ...]:
    """Each objective: the value, and whether a pool meets it."""
    return tuple(
        TableLine(
            each[0].text,
            tuple(map(_judged, summary.pools, each)),
            tuple(" – ".join(value_in_units(one)[1]) for one in each),
        )
        for each in zip(*(pool.objectives for pool in summary.pools), strict=True)
    )


def _judged(pool: PoolSummary, objective: ObjectiveResult) -> str:
    value, _ = value_in_units(objective)
    return f"{value}, {MET_IN_WORDS[objective.met]}" if pool.valid else value


def _line(summary: Summary, label: str, cell: CellText) -> TableLine:
    values = tuple(cell(pool) for pool in summary.pools)
    if label != _THROUGHPUT:
        return TableLine(label, values)
    return TableLine(
        label, values, tuple(throughput_interval(pool) for pool in summary.pools), strong=True
    )


def application_changes(summary: Summary) -> list[str]:
    """How pools differ from the application's own; of a search, only its answer counts."""
    own = summary.experiment.get("application_pool")
    if not own:
        return []
    pools = [pool.pool for pool in summary.pools]
    if summary.search:
        pools = [pool for pool in pools if pool.name == summary.verdict.recommended]
    return changed_settings(pools, PoolSettings(**own), summary.experiment["application"])


def _settings(summary: Summary) -> tuple[TableLine, ...]:
    """Both sizes and every other setting that differs from SQLAlchemy's default in some pool."""
    said = [spelled_out(pool.pool) for pool in summary.pools]
    names = dict.fromkeys(name for settings in said for name in settings)
    return tuple(
        TableLine(
            name,
            tuple(settings.get(name) or default_in_python(name) or NO_VALUE for settings in said),
        )
        for name in names
    )
