"""The tables of a recording's report, the same on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.analysis.recordings.clock_time import clock_of, date_and_time
from loadtest.analysis.units import (
    NO_VALUE,
    count,
    duration,
    level,
    listed,
    marked_duration,
    percent,
    plural,
    rate,
)
from loadtest.model.recorded_places import RecordedPlace, RecordedShortage
from loadtest.model.recording_summary import RecordedPoolSummary, RecordingSummary

RECORDED_COLUMNS = (
    *("pool", "processes", "checkouts/s", "wait p95", "wait max", "timeouts", "errors"),
    *("in use", "most in use", "most open", "allowed"),
)
PLACE_COLUMNS = (
    *(
        "place",
        "checkouts",
        "timeouts",
        "errors",
        "wait",
        "wait max",
        "hold",
        "hold p95",
        "hold max",
    ),
    *("in queries", "idle", "held in waits"),
)
PLACE_LEGEND = (
    "Wait and hold: means, with the p95 and the longest below. In queries: the share of the holds' "
    "time in statements and COMMITs. Idle: the share of the whole pool's time in use in which this "
    "place held a connection without a query. Held in waits: its share of the connections that "
    "were held while others waited long."
)
# The columns on the page, where cells have further lines.
PLACE_HEADINGS = ("place", "checkouts", "wait", "hold", "in queries", "idle", "held in waits")
SHORTAGE_COLUMNS = ("time (UTC)", "place that waited", "wait", "held then")
# Of routes, lines, engines and gaps, as many are shown.
_SHOWN = 3


def recorded_row(pool: RecordedPoolSummary) -> tuple[str, ...]:
    """The cells of a pool, under RECORDED_COLUMNS."""
    waits, connections = pool.checkout.wait_seconds, pool.connections
    return (
        pool.name,
        _processes(pool),
        rate(pool.checkout.attempts_per_second),
        marked_duration(waits, "p95"),
        marked_duration(waits, "max"),
        count(pool.checkout.timeouts),
        count(pool.checkout.errors),
        level(connections.in_use),
        count(connections.in_use_most),
        count(connections.open_most),
        "no limit" if connections.allowed is None else count(connections.allowed),
    )


def place_row(place: RecordedPlace) -> tuple[str, ...]:
    """The cells of a place, under PLACE_COLUMNS."""
    return (
        place.place,
        count(place.checkouts),
        count(place.timeouts),
        count(place.errors),
        duration(place.wait_seconds_mean),
        duration(place.wait_seconds_max),
        duration(place.hold_seconds_mean),
        duration(place.hold_seconds_p95),
        duration(place.hold_seconds_max),
        percent(place.querying),
        percent(place.idle),
        percent(place.held),
    )


def place_cells(place: RecordedPlace) -> list[tuple[str, ...]]:
    """The cells of a place under PLACE_HEADINGS, each with the lines below its value."""
    failures = ((place.timeouts, "timeout"), (place.errors, "error"))
    return [
        (place.place, *_place_notes(place)),
        (count(place.checkouts), *(plural(number, one) for number, one in failures if number)),
        (duration(place.wait_seconds_mean), f"max {duration(place.wait_seconds_max)}"),
        (
            duration(place.hold_seconds_mean),
            *([f"p95 {duration(place.hold_seconds_p95)}"] if place.holds else []),
            f"max {duration(place.hold_seconds_max)}",
        ),
        (percent(place.querying),),
        (percent(place.idle),),
        (percent(place.held),),
    ]


def single_lines(row: Sequence[str]) -> list[tuple[str, ...]]:
    """The cells of a row without further lines."""
    return [(text,) for text in row]


def _place_notes(place: RecordedPlace) -> Iterator[str]:
    """The routes of a place, and where its holders stood without a query, as far as known."""
    if routes := [route for route in place.routes if route][:_SHOWN]:
        yield listed(routes)
    lines = [f"{line} ({percent(share)})" for line, share in place.idle_at.items()][:_SHOWN]
    if lines:
        yield f"without a query at {listed(lines)}"


def shortage_rows(pool: RecordedPoolSummary) -> list[tuple[str, ...]]:
    """The cells of the longest waits, under SHORTAGE_COLUMNS."""
    clock = clock_of(pool.begin, pool.end)
    return [(clock(one.at), *shortage_cells(one)) for one in pool.shortages]


def shortage_cells(shortage: RecordedShortage) -> tuple[str, ...]:
    """The cells of a long wait, under SHORTAGE_COLUMNS without the first."""
    held = [
        f"{one.place} × {count(one.connections)} (oldest {duration(one.oldest_seconds)})"
        for one in shortage.holders
    ]
    ended = " (timed out)" if shortage.timed_out else ""
    wait = duration(shortage.wait_seconds) + ended
    return shortage.place, wait, ", ".join(held) or NO_VALUE


def recorded_facts(pool: RecordedPoolSummary) -> Iterator[tuple[str, str]]:
    """The settings, the processes and the busiest minute of a pool, a line each."""
    yield "database", pool.database or NO_VALUE
    yield from _settings(pool)
    for line, number in list(pool.made_at.items())[:_SHOWN]:
        yield "engine made at", line if number == 1 else f"{line} ({count(number)} times)"
    yield "processes", _processes(pool)
    busiest, clock = pool.busiest, clock_of(pool.begin, pool.end)
    begin, end = clock(busiest.period.begin), clock(busiest.period.end)
    yield "busiest time (UTC)", f"{begin} to {end}"
    yield "then, checkouts per second", rate(busiest.attempts_per_second)
    used = f"{level(busiest.in_use)} on average, {count(busiest.in_use_most)} at most"
    yield "then, connections in use", used
    yield "then, checkouts waiting", f"{count(busiest.waiting_most)} at most"
    yield "then, mean wait", duration(busiest.wait_seconds_mean)
    yield "connections opened, closed", _opened(pool)
    if pool.coarse_seconds:
        coarse = f"{duration(pool.coarse_seconds)} of all processes (size limit)"
        yield "recorded in intervals of ten seconds or more", coarse
    for gap in pool.gaps[:_SHOWN]:
        yield "nothing recorded (UTC)", f"{clock(gap.begin)} to {clock(gap.end)}"
    if left := pool.gaps[_SHOWN:]:
        seconds = duration(sum(gap.seconds for gap in left))
        yield "nothing recorded", f"{plural(len(left), 'further time')}, {seconds}"


def circumstances(summary: RecordingSummary) -> str:
    """When, where and for how long it was recorded."""
    seconds = duration(summary.end - summary.begin)
    clock = clock_of(summary.begin, summary.end)
    parts = [f"{date_and_time(summary.begin)} to {clock(summary.end)} UTC ({seconds})"]
    processes = max(pool.processes_most for pool in summary.pools)
    parts.append(f"{plural(processes, 'process', 'processes')} at once")
    hosts = summary.environment["hosts"]
    if len(hosts) > 1:
        parts.append(f"{len(hosts)} hosts")
    if summary.going_on:
        going_on = plural(len(summary.going_on), "process", "processes")
        parts.append(f"{going_on} still running, or ended without a footer")
    return " · ".join(parts)


def fleet_sentence(summary: RecordingSummary) -> str:
    """The connections of all pools and processes together."""
    limits = [pool.connections.allowed for pool in summary.pools]
    known = [limit for limit in limits if limit is not None]
    most = sum(pool.connections.open_most for pool in summary.pools)
    allowed = f"{count(sum(known))}" if len(known) == len(limits) else "any number"
    return (
        f"All processes together opened at most {plural(most, 'connection')} at once and may open "
        f"{allowed}. The server must have room for them: check with `loadtest capacity`."
    )


def _processes(pool: RecordedPoolSummary) -> str:
    if pool.processes == pool.processes_most:
        return count(pool.processes)
    return f"{count(pool.processes_most)} at once, {count(pool.processes)} in all"


def _opened(pool: RecordedPoolSummary) -> str:
    return f"{count(pool.connections.opened)}, {count(pool.connections.closed)}"


def _settings(pool: RecordedPoolSummary) -> Iterator[tuple[str, str]]:
    """The settings of the pool; of several, the different values."""
    for name in pool.settings[0]:
        values = [one[name] for one in pool.settings if one.get(name) is not None]
        if values:
            yield name, listed(list(dict.fromkeys(map(str, values))))
