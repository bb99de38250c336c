"""Findings about a recorded pool: each has evidence and one thing to change."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loadtest.analysis.units import count, duration, listed, percent, plural
from loadtest.model.recording_summary import RecordedPlace, RecordedPoolSummary
from loadtest.model.summary import Finding

# A place is named if its holds are without a query for this long (s, a mean), for this share of
# their time, and for this share of the whole pool's time in use.
IDLE_SECONDS, IDLE_SHARE, IDLE_OF_POOL = 0.05, 0.5, 0.2
LEAST_HOLDS = 5
MOST_PLACES = 3
# A wait (s) that users notice, and the seconds for which a pool must be full without timeouts.
NOTICED_WAIT, NOTICED_SECONDS = 0.1, 3
# A pool connects that often if it is new for each request, and NullPool if it is under load.
NEW_SHARE, NEW_FACTOR = 0.5, 3
LOAD_PER_SECOND = 1.0

RecordedRule = Callable[[RecordedPoolSummary], Iterator[Finding]]


def recording_findings(pool: RecordedPoolSummary) -> tuple[Finding, ...]:
    """All findings about a pool, the causes first."""
    return tuple(finding for rule in RULES for finding in rule(pool))


def is_short(pool: RecordedPoolSummary) -> bool:
    """Whether checkouts timed out, or waited noticeably at a full pool."""
    waits = pool.checkout.wait_seconds.p99 or 0.0
    waited = pool.full_seconds >= NOTICED_SECONDS and waits >= NOTICED_WAIT
    return pool.checkout.timeouts > 0 or waited


def idle_holders(pool: RecordedPoolSummary) -> list[RecordedPlace]:
    """The places that hold connections without a query, the one with the most time first."""
    found = [place for place in pool.places if _holds_idly(place)]
    return sorted(found, key=lambda place: -place.idle)[:MOST_PLACES]


def leaking_places(pool: RecordedPoolSummary) -> list[RecordedPlace]:
    """The places with holds that are not expected to end, the one with the most first."""
    return sorted((p for p in pool.places if p.lost), key=lambda place: -place.lost)


def _holds_idly(place: RecordedPlace) -> bool:
    return (
        place.holds >= LEAST_HOLDS
        and (place.idle_seconds_mean or 0.0) >= IDLE_SECONDS
        and 1 - (place.querying or 0.0) >= IDLE_SHARE
        and place.idle >= IDLE_OF_POOL
    )


def recorded_leak(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Connections that a place took and does not return."""
    for place in leaking_places(pool)[:MOST_PLACES]:
        allowed = pool.connections.allowed
        of = f" of {count(allowed)}" if allowed else ""
        yield Finding(
            code="leak",
            severity="error",
            message=f"`{place.place}` does not return its connections: {count(place.lost)}{of} "
            f"{'is' if place.lost == 1 else 'are'} still held, the oldest for "
            f"{duration(place.lost_age_seconds)}. Close the session or connection also after an "
            "error: open it in a `with` block, or call close(), on a scoped_session remove(), when "
            "the request ends.",
            evidence={
                "place": place.place,
                "lost": place.lost,
                "oldest": place.lost_age_seconds,
                "routes": place.routes,
            },
        )


def held_without_query(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Places that hold a connection while they do something else."""
    for place in idle_holders(pool):
        stood, where = next(iter(place.idle_at.items()), ("", 0.0))
        at = f" It mostly stood at `{stood}` then." if stood else ""
        yield Finding(
            code="held_without_query",
            severity="error" if is_short(pool) else "warning",
            message=f"`{place.place}`{_in_routes(place)} held a connection for "
            f"{duration(place.hold_seconds_mean)} on average and ran queries in "
            f"{percent(place.querying)} of that time.{at} Return the connection before "
            f"{'that line' if stood else 'the other work'}: commit or roll back and close the "
            "session, and take a connection again afterwards.",
            evidence={
                "place": place.place,
                "holds": place.holds,
                "hold": place.hold_seconds_mean,
                "querying": place.querying,
                "idle_of_pool": place.idle,
                "line": stood,
                "line_share": where,
            },
        )


def nested_in_application(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Requests that take a connection while they hold another one."""
    number = sum(pool.nested.values())
    if not number:
        return
    routes = sorted(pool.nested, key=lambda route: -pool.nested[route])
    named = listed([f"`{route}`" for route in routes[:MOST_PLACES]]) if any(routes) else "requests"
    there = [p.place for p in pool.places if p.routes.keys() & set(routes)][:MOST_PLACES]
    at = f" They take connections at {listed([f'`{place}`' for place in there])}." if there else ""
    yield Finding(
        code="nested_checkout",
        severity="error" if is_short(pool) else "warning",
        message=f"{named} took {plural(number, 'connection')} while they already held one.{at} If "
        "all connections are held like this, every holder waits for another one until "
        "pool_timeout. Pass the first connection or session on.",
        evidence={"nested": pool.nested, "places": there},
    )


def engine_per_request(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Checkouts of which most find a new pool, and connect."""
    new, whole = pool.checkout.by_source.get("new", 0), pool.checkout.count
    sizes = [size for one in pool.settings if (size := one.get("pool_size"))]
    kept = max(sizes, default=0) * pool.processes
    if not kept or new <= NEW_SHARE * whole or new <= NEW_FACTOR * kept:
        return
    most = max(pool.places, key=lambda place: place.checkouts, default=None)
    at = f", most of them at `{most.place}`" if most else ""
    yield Finding(
        code="engine_per_request",
        severity="warning",
        message=f"{count(new)} of {plural(whole, 'checkout')} opened a new connection although the "
        f"pools may keep {count(kept)}{at}: an engine is made or disposed of again and again, up "
        f"to {count(pool.connections.engines_most)} at once. Make one engine when the process "
        "starts, and use it for all requests.",
        evidence={
            "new": new,
            "checkouts": whole,
            "engines": pool.connections.engines_most,
            "connect": pool.checkout.connect_seconds.mean,
            "place": most.place if most else None,
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
        "poolclass), unless a pooler such as pgbouncer lies between application and server.",
        evidence={"opened": pool.connections.opened, "per_second": rate, "connect": connect},
    )


def pool_full(pool: RecordedPoolSummary) -> Iterator[Finding]:
    """Checkouts that timed out, or waited noticeably, because all connections were in use."""
    if not is_short(pool):
        return
    timeouts, waits = pool.checkout.timeouts, pool.checkout.wait_seconds
    timed_out = f"{plural(timeouts, 'checkout')} timed out. " if timeouts else ""
    if idle_holders(pool) or leaking_places(pool) or pool.nested:
        change = "Fix the place that holds connections first; a larger pool only hides it."
    else:
        change = "Predict a larger pool with `loadtest whatif`, or make the queries faster."
    yield Finding(
        code="pool_full",
        severity="error" if timeouts else "warning",
        message=f"Checkouts waited at a full pool for {duration(pool.full_seconds)}. {timed_out}"
        f"The p99 of all waits is {duration(waits.p99)}, the longest {duration(waits.max)}. "
        f"{change}",
        evidence={
            "full_seconds": pool.full_seconds,
            "timeouts": timeouts,
            "wait_p99": waits.p99,
            "allowed": pool.connections.allowed,
        },
    )


def _in_routes(place: RecordedPlace) -> str:
    routes = [f"`{route}`" for route in place.routes if route][:MOST_PLACES]
    return f" (in {listed(routes)})" if routes else ""


RULES: tuple[RecordedRule, ...] = (
    recorded_leak,
    held_without_query,
    nested_in_application,
    engine_per_request,
    null_pool_under_load,
    pool_full,
)
