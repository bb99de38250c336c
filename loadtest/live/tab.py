"""The *Connection pool* tab in Locust's web UI: a table of key figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loadtest.live.points import LiveRun, Points
from loadtest.live.second import Point

KEY = "connection-pool"
NO_NUMBER = "–"
_COLUMNS = {"pool_figure": "Connection pool", "last_second": "Last second", "so_far": "In this run"}
_PERIODS = {"warmup": "warming up", "measured": "measuring", "drain": "stopping"}
_HEALTH = {
    "fine": "fine",
    "busy": "BUSY: its CPU limits the results",
    "late": "LATE: its event loop is blocked at times",
}


def add_tab(web_ui: Any) -> None:
    """Add the tab; the page requests `statistics` every two seconds, together with Locust's own."""
    columns = [{"key": key, "title": title} for key, title in _COLUMNS.items()]
    web_ui.template_args["extended_tabs"] = [{"title": "Connection pool", "key": KEY}]
    web_ui.template_args["extended_tables"] = [{"key": KEY, "structure": columns}]
    web_ui.template_args["extended_csv_files"] = [
        {"href": "./pool/report", "title": "Report of the connection pool"}
    ]


def statistics(points: Points) -> dict[str, Any]:
    """The table in the form of Locust's statistics."""
    return {"extended_stats": [{"key": KEY, "data": tab_rows(points)}]}


def tab_rows(points: Points) -> list[dict[str, str]]:
    """The rows of the table: the name of a figure, its last second, and the run so far."""
    points.refresh()
    if not points.runs:
        return []
    run, point = points.runs[-1], points.latest
    state = run.reason or (_PERIODS[point.period] if point else "starting")
    shown = [("Pool", run.pool.name, state)]
    if point:
        shown += _figures(run, point)
    return [dict(zip(_COLUMNS, row, strict=True)) for row in shown]


def _figures(run: LiveRun, point: Point) -> Iterator[tuple[str, str, str]]:
    allowed = "" if point.limit is None else f" of {point.limit:,}"
    for label, level, more in (("In use", "in_use", allowed), ("Overflow", "overflow", "")):
        now, most = getattr(point, level), run.most.get(f"{level}_most", 0)
        yield label, f"{_level(now)}{more}", f"maximum {most:,.0f}"
    yield "Waiting", _level(point.waiting), f"maximum {run.most['waiting_most']:,.0f}"
    worst = run.most["checkout_p95"]
    yield (
        "Checkout p95",
        tab_duration(point.checkout_p95),
        f"worst second {tab_duration(worst)}",
    )
    yield "Timeouts", f"{point.timeouts:,.0f} per second", f"{run.timeouts:,}"
    health = f"{_HEALTH[point.health]} (CPU {point.cpu:.0%}, lag p99 {tab_duration(point.lag_p99)})"
    yield "Load generator", health, f"maximum CPU {run.most['cpu']:.0%}"


def _level(number: float | None) -> str:
    return NO_NUMBER if number is None else f"{number:,.1f}"


def tab_duration(seconds: float | None) -> str:
    """Seconds as `0.04 ms`, `1.2 ms`, `120 ms`, `1.81 s`."""
    if seconds is None:
        return NO_NUMBER
    if seconds >= 1:
        return f"{seconds:,.2f} s"
    milliseconds = seconds * 1000
    return f"{milliseconds:.{0 if milliseconds >= 100 else 1 if milliseconds >= 1 else 2}f} ms"
