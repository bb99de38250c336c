"""The tables about a driven application in a report: all processes together, and each pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loadtest.analysis.recordings.clock_time import clock_of
from loadtest.analysis.units import NO_VALUE, count, duration, level, marked_duration, percent
from loadtest.model.driven_summary import DrivenProcess, DrivenSummary, RouteUse
from loadtest.model.recorded_places import RecordedShortage
from loadtest.model.summary import PoolSummary, Summary
from loadtest.report.recorded.recording_rows import (
    PLACE_HEADINGS,
    PLACE_LEGEND,
    SHORTAGE_COLUMNS,
    place_cells,
    shortage_cells,
    single_lines,
)
from loadtest.report.result_files import FileLink

FLEET_COLUMNS = (
    *("pool", "processes", "at once", "checkouts", "timeouts", "wait p95", "in use", "most open"),
    *("allowed", "CPU", "loop lag p99"),
)
PROCESS_COLUMNS = (
    *("process", "round", "checkouts", "timeouts", "wait p95", "in use", "most open"),
    *("CPU", "loop lag p99"),
)
ROUTE_COLUMNS = ("route", "checkouts", "hold", "in queries", "nested checkouts")
FLEET_LEGEND = (
    "All processes of the application together, over all rounds. At once: the requests that one "
    "process may serve, or the most that needed a connection. In use: the mean. Most open and "
    "allowed: at a moment; the most of several processes is an upper bound. CPU: of a process, as "
    "a mean share of one core. Loop lag: how late the event loops were that took connections; it "
    "is unknown for threads."
)
ROUTE_LEGEND = (
    "Hold is a mean. In queries: the share of the holds' time in statements and COMMITs. Nested "
    "checkouts: by requests that held a connection already."
)
Logs = Mapping[str, Sequence[FileLink]]
"""The application's logs by the name of the pool."""


def application_section(summary: Summary, logs: Logs) -> dict[str, Any] | None:
    """What the page shows about the application; None if the runs drove none."""
    shown = [pool for pool in summary.pools if pool.application]
    if not shown:
        return None
    return {
        "about": list(_about(shown)),
        "absent": absent_server(shown[0]),
        "columns": FLEET_COLUMNS,
        "legend": FLEET_LEGEND,
        "rows": [_fleet_row(pool, pool.application) for pool in shown if pool.application],
        "pools": [_pool(pool, pool.application, logs) for pool in shown if pool.application],
        "place_columns": PLACE_HEADINGS,
        "place_legend": PLACE_LEGEND,
        "route_columns": ROUTE_COLUMNS,
        "route_legend": ROUTE_LEGEND,
        "shortage_columns": SHORTAGE_COLUMNS,
        "process_columns": PROCESS_COLUMNS,
    }


def driven_names(summary: Summary) -> list[str]:
    """The names of the applications that the runs drove, each once."""
    return [*dict.fromkeys(p.application_name for p in summary.pools if p.application_name)]


def _about(pools: Sequence[PoolSummary]) -> Iterator[tuple[str, str]]:
    """The application, its engine and its server, a line each; they are the same for all pools.

    Of several applications, each has one line.
    """
    found = {one.name: one for pool in pools if (one := pool.application)}
    each = [(name, list(_facts(one))) for name, one in found.items()]
    if len(each) == 1:
        ((name, facts),) = each
        yield from (("application", name), *facts)
        return
    for name, facts in each:
        yield name, "; ".join(f"{fact}: {value}" for fact, value in facts)


def _facts(application: DrivenSummary) -> Iterator[tuple[str, str]]:
    engine, place = application.engine, application.place
    yield "engine", f"{engine} ({place})" if place else engine
    yield "database", application.database or NO_VALUE
    yield "requests at once", application.concurrency.source


def absent_server(pool: PoolSummary) -> str:
    """Why there are no figures of an application's server, as a sentence; empty if there are."""
    if pool.server.known or pool.application is None:
        return ""
    kind = pool.application.database.partition("+")[0]
    if kind == "sqlite":
        return "SQLite has no server, so there are no figures of one."
    absent = (
        "The server's own figures are absent (its limit of connections, connections of other "
        "clients, running queries, row locks, CPU): "
    )
    if kind in ("mysql", "mariadb"):
        return f"{absent}loadtest did not read its status."
    return f"{absent}loadtest reads the status of MariaDB and MySQL only."


def _fleet_row(pool: PoolSummary, application: DrivenSummary) -> list[tuple[str, ...]]:
    allowed = pool.connections.allowed
    row = (
        pool.name,
        count(pool.processes),
        count(application.concurrency.requests),
        count(pool.checkout.count),
        count(pool.checkout.timeouts),
        marked_duration(pool.checkout.wait_seconds, "p95"),
        level(application.in_use),
        count(pool.connections.peak),
        "no limit" if allowed is None else count(allowed),
        percent(application.cpu),
        duration(application.loop_lag_seconds.p99),
    )
    return single_lines(row)


def _pool(pool: PoolSummary, application: DrivenSummary, logs: Logs) -> dict[str, Any]:
    return {
        "name": pool.name,
        "places": [place_cells(one) for one in application.places],
        "routes": [single_lines(_route_row(*one)) for one in application.routes.items()],
        "shortages": [single_lines(cells) for cells in _shortages(application.shortages)],
        "processes": [single_lines(_process_row(one)) for one in application.processes],
        "logs": logs.get(pool.name, ()),
    }


def _shortages(shortages: Sequence[RecordedShortage]) -> list[tuple[str, ...]]:
    moments = [one.at for one in shortages] or [0.0]
    clock = clock_of(min(moments), max(moments) + 1)
    return [(clock(one.at), *shortage_cells(one)) for one in shortages]


def _process_row(one: DrivenProcess) -> tuple[str, ...]:
    return (
        one.process,
        count(one.round),
        count(one.checkouts),
        count(one.timeouts),
        marked_duration(one.wait_seconds, "p95"),
        level(one.in_use),
        count(one.peak),
        percent(one.cpu),
        duration(one.loop_lag_p99_seconds),
    )


def _route_row(name: str, use: RouteUse) -> tuple[str, ...]:
    return (
        name,
        count(use.checkouts),
        duration(use.hold_seconds_mean),
        percent(use.querying),
        count(use.nested),
    )
