"""Findings about a recorded pool: each has evidence and one thing to change."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loadtest.analysis.recordings.pool_judgement import (
    NAMED_PLACES,
    checkouts_fail,
    idle_holders,
    is_short,
    kept_by_pools,
    leaking_places,
    makes_engines,
    mostly_ended,
    nested_checkouts,
)
from loadtest.analysis.units import count, duration, listed, marked_duration, percent, plural
from loadtest.model.recorded_places import MOSTLY, RecordedPlace
from loadtest.model.recording_summary import RecordedPoolSummary
from loadtest.model.summary import Finding

# NullPool is under load from this many checkouts a second.
LOAD_PER_SECOND = 1.0

# Checkouts without a route or task.
WITHOUT_ROUTE = "requests without a route or task"

RecordedRule = Callable[[RecordedPoolSummary], Iterator[Finding]]


def recording_findings(pool: RecordedPoolSummary) -> tuple[Finding, ...]:
    """All findings about a pool, the causes first."""
    return tuple(finding for rule in RULES for finding in rule(pool))


def recorded_leak(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Connections that a place took and does not return, or after its users have ended."""
    for place in leaking_places(pool):
        yield Finding(
            code="leak",
            severity="error" if place.lost else "warning",
            message=f"`{place.place}`{_in_routes(place)} {_lost(place, pool.connections.allowed)}. "
            "Close the session or connection also after an error: open it in a `with` block, or "
            "call close(), on a scoped_session remove(), when the request ends.",
            evidence={
                "place": place.place,
                "lost": place.lost,
                "oldest": place.lost_age_seconds,
                "ended_seconds": place.ended_seconds,
            },
        )


def _lost(place: RecordedPlace, allowed: int | None) -> str:
    if not place.lost:
        return (
            "held connections after the task, greenlet or thread that took them had ended; the "
            f"longest hold lasted {duration(place.hold_seconds_max)}. Connections that nothing "
            "refers to are in use until the garbage collector returns them"
        )
    of = f" of {count(allowed)}" if allowed else ""
    held = "is still held" if place.lost == 1 else "are still held, the oldest"
    if not place.lost_now:
        held = "were in use when a process ended, the oldest"
    return (
        f"does not return its connections: {count(place.lost)}{of} {held} for "
        f"{duration(place.lost_age_seconds)}"
    )


def held_without_query(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Places that hold a connection while they do something else."""
    for place in idle_holders(pool):
        yield Finding(
            code="held_without_query",
            severity="error" if is_short(pool) else "warning",
            message=f"`{place.place}`{_in_routes(place)} held a connection for "
            f"{duration(place.hold_seconds_mean)} on average and ran queries in "
            f"{percent(place.querying)} of that time. {_to_return(place)}",
            evidence={
                "place": place.place,
                "holds": place.holds,
                "hold": place.hold_seconds_mean,
                "querying": place.querying,
                "idle_of_pool": place.idle,
                "line": place.line,
                "line_share": place.idle_at.get(place.line),
                "outside_share": place.outside,
            },
        )


def _to_return(place: RecordedPlace) -> str:
    if place.outside >= MOSTLY:
        return (
            "Mostly no code of the application ran then: the request had ended, or its response "
            "was being sent. Close the session after its last query, at the latest when the "
            "request ends (a scoped_session with remove())."
        )
    stood, before = "", "the other work"
    if place.line:
        stood, before = f"It mostly stood at `{place.line}` then. ", "that line"
    elif line := place.frequent_line:
        stood = f"It stood most often at `{line}` then ({percent(place.idle_at[line])}). "
    return (
        f"{stood}Return the connection before {before}: commit or roll back and close the session, "
        "and take a connection again afterwards."
    )


def nested_in_application(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Requests that take a connection while they hold another one, which they mean to return."""
    nested = nested_checkouts(pool)
    if not nested or any(place.lost for place in pool.places):
        return
    number = plural(sum(nested.values()), "connection")
    routes = sorted(nested, key=lambda route: -nested[route])
    named = listed([f"`{route}`" if route else WITHOUT_ROUTE for route in routes[:NAMED_PLACES]])
    taking = sorted(pool.places, key=lambda place: -place.nested)[:NAMED_PLACES]
    there = [place.place for place in taking if place.nested]
    at = f" They took these at {listed([f'`{place}`' for place in there])}." if there else ""
    yield Finding(
        code="nested_checkout",
        severity="error" if is_short(pool) else "warning",
        message=f"{named} took {number} while they already held one.{at} If all connections are "
        "held like this, every holder waits for another one until pool_timeout. Pass the first "
        "connection or session on.",
        evidence={"nested": nested, "places": there},
    )


def engine_per_request(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Checkouts that find a new pool again and again, and connect."""
    if not makes_engines(pool):
        return
    new, whole = pool.checkout.by_source["new"], pool.checkout.count
    likely, made_at = _connecting_place(pool), _made_at(pool, often=True)
    at = f", most likely those of `{likely.place}`{_in_routes(likely)}" if likely else ""
    yield Finding(
        code="engine_per_request",
        severity="warning",
        message=f"{count(new)} of {plural(whole, 'checkout')} opened a new connection although the "
        f"pools keep {count(kept_by_pools(pool))}{at}: an engine is made{made_at} or "
        f"disposed of again and again, up to {count(pool.connections.engines_most)} at once. Make "
        "one engine when the process starts, and use it for all requests.",
        evidence={
            "new": new,
            "checkouts": whole,
            "engines": pool.connections.engines_most,
            "connect": pool.checkout.connect_seconds.mean,
            "place": likely.place if likely else None,
            "made_at": pool.made_at,
        },
    )


def null_pool_under_load(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """NullPool, which connects for each checkout, in an application with many checkouts."""
    classes = {str(one.get("poolclass")) for one in pool.settings}
    rate = pool.checkout.attempts_per_second
    if classes != {"NullPool"} or rate < LOAD_PER_SECOND:
        return
    connect = pool.checkout.connect_seconds.mean
    yield Finding(
        code="null_pool",
        severity="warning",
        message=f"NullPool connects for each checkout: {count(pool.connections.opened)} times in "
        f"{duration(pool.seconds)}, {duration(connect)} each. Use a QueuePool (leave out "
        f"poolclass{_made_at(pool)}), unless a pooler such as pgbouncer lies between application "
        "and server.",
        evidence={
            "opened": pool.connections.opened,
            "per_second": rate,
            "connect": connect,
            "made_at": pool.made_at,
        },
    )


def failed_checkouts(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Checkouts that ended without a connection, but not by a timeout."""
    errors, attempts = pool.checkout.errors, pool.checkout.attempts
    if not checkouts_fail(pool):
        return
    worst = sorted((one for one in pool.places if one.errors), key=lambda one: -one.errors)
    places = [f"`{one.place}` ({count(one.errors)})" for one in worst[:NAMED_PLACES]]
    at = f" at {listed(places)}" if places else ""
    yield Finding(
        code="failed_checkouts",
        severity="error",
        message=f"{plural(errors, 'checkout')} of {count(attempts)} failed{at}: no connection "
        "could be opened, or the task was cancelled. The application's log has the error. If the "
        "server had too many connections, check the pools with `loadtest capacity`.",
        evidence={"errors": errors, "attempts": attempts},
    )


def _connecting_place(pool: RecordedPoolSummary) -> RecordedPlace | None:
    """The place that opened the new connections, beside those that the pools keep; None if unclear.

    The place of a connect is not recorded.
    """
    new = pool.checkout.by_source["new"]
    few = [one for one in pool.places if 0 <= new - one.checkouts <= kept_by_pools(pool)]
    return few[0] if len(few) == 1 else None


def several_engines(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Engines with the same settings that a process keeps beside each other."""
    engines = pool.connections.engines_of_process
    if engines < 2 or makes_engines(pool):
        return
    yield Finding(
        code="several_engines",
        severity="warning",
        message=f"A process had {count(engines)} engines with the settings of `{pool.name}` most "
        "of the time. Each has its own pool: one may be full while another is idle, and a process "
        "can open as many times the connections. Make one engine, and use it in all modules.",
        evidence={"engines": engines},
    )


def pool_full(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Checkouts that timed out, or waited noticeably, because all connections were in use."""
    if not is_short(pool):
        return
    timeouts, waits = pool.checkout.timeouts, pool.checkout.wait_seconds
    timed_out, enlarge = f"{plural(timeouts, 'checkout')} timed out. " if timeouts else "", ""
    if idle_holders(pool) or leaking_places(pool) or nested_checkouts(pool):
        change = "Fix the place that holds connections first; a larger pool only hides it."
    elif not mostly_ended(pool):
        change = (
            "Most of the time in use is that of holds which have not ended: see which places held "
            "connections in the longest waits."
        )
    else:
        enlarge = "Predict a larger pool with `loadtest whatif`, or make the queries faster."
        change = enlarge
    yield Finding(
        code="pool_full",
        severity="error" if timeouts else "warning",
        message=f"Checkouts waited at a full pool for {duration(pool.full_seconds)} of the "
        f"{duration(pool.seconds)} measured. {timed_out}"
        f"The p99 of all waits is {marked_duration(waits, 'p99')}, the longest "
        f"{marked_duration(waits, 'max')}. {change}",
        evidence={
            "full_seconds": pool.full_seconds,
            "timeouts": timeouts,
            "wait_p99": waits.p99,
            "full_wait": max((span.wait_seconds_mean for span in pool.full), default=None),
            "allowed": pool.connections.allowed,
        },
        enlarge=enlarge,
        otherwise="Make the queries faster, or hold connections for less time.",
    )


def _made_at(pool: RecordedPoolSummary, *, often: bool = False) -> str:
    """The line that made most engines, if known; often: with how often it did."""
    for line, number in pool.made_at.items():
        return f" ({plural(number, 'time')} at `{line}`)" if often else f" at `{line}`"
    return ""


def _in_routes(place: RecordedPlace) -> str:
    routes = [f"`{route}`" for route in place.routes if route][:NAMED_PLACES]
    return f" (in {listed(routes)})" if routes else ""


RULES: tuple[RecordedRule, ...] = (
    recorded_leak,
    held_without_query,
    nested_in_application,
    engine_per_request,
    several_engines,
    null_pool_under_load,
    failed_checkouts,
    pool_full,
)
