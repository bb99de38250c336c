"""What is wrong with a recorded pool: the judgements behind findings and verdict."""

from __future__ import annotations

from statistics import median_low

from loadtest.model.place_use import USER_ENDED
from loadtest.model.recorded_places import RecordedPlace
from loadtest.model.recording_summary import RecordedPoolSummary

# A place is named if its holds are without a query for this share of their time, and of the whole
# pool's time in use.
IDLE_SHARE, IDLE_OF_POOL = 0.5, 0.1
# The longest time without a query of a hold (s, a mean) that is noticed, and the one that is always
# too long. In between it counts only beside places with much shorter ones: on a busy machine all
# places have pauses.
IDLE_SECONDS, LONG_IDLE_SECONDS, IDLE_FACTOR = 0.05, 0.15, 3
LEAST_HOLDS = 5
NAMED_PLACES = 3
# A place keeps connections that are found so often, for the most part, and so long a hold (s, a
# mean) after their users have ended.
ENDED_SECONDS, ENDED_SHARE, ENDED_PER_HOLD = 3, 0.5, 0.01
# Holds that ended tell about the time in use if they are this share of it.
KNOWN_SHARE = 0.5
# A wait (s) that users notice, and the length of a full time (s) that counts without timeouts.
NOTICED_WAIT, NOTICED_SECONDS = 0.1, 5
# A pool connects that often if it is new for each request.
NEW_SHARE, NEW_FACTOR = 0.05, 3
# Fewer failed checkouts are single disturbances.
LEAST_FAILED = 0.01


def is_short(pool: RecordedPoolSummary) -> bool:
    """Whether checkouts timed out, or waited noticeably at a full pool."""
    waits = pool.checkout.wait_seconds.p99 or 0.0
    long = [span for span in pool.full if span.seconds >= NOTICED_SECONDS]
    noticed = any(max(waits, span.wait_seconds_mean) >= NOTICED_WAIT for span in long)
    return pool.checkout.timeouts > 0 or noticed


def leaking_places(pool: RecordedPoolSummary) -> list[RecordedPlace]:
    """The places that return connections late or not at all, the one with the most first."""
    found = [place for place in pool.places if place.lost or _outlives_users(place)]
    return sorted(found, key=lambda place: (-place.lost, -place.ended_seconds))[:NAMED_PLACES]


def _outlives_users(place: RecordedPlace) -> bool:
    share = place.idle_at.get(USER_ENDED, 0.0)
    often = place.ended_seconds >= max(ENDED_SECONDS, ENDED_PER_HOLD * place.holds)
    return often and share >= ENDED_SHARE


def idle_holders(pool: RecordedPoolSummary) -> list[RecordedPlace]:
    """The places that hold connections without a query, the one with the most time first."""
    found = [one for one in pool.places if not one.lost and _holds_idly(one, pool)]
    return sorted(found, key=lambda place: -place.idle)[:NAMED_PLACES]


def _holds_idly(place: RecordedPlace, pool: RecordedPoolSummary) -> bool:
    others = [one for one in pool.places if one is not place and _is_used(one)]
    least = LONG_IDLE_SECONDS
    if others:
        usual = median_low([one.idle_seconds_mean or 0.0 for one in others])
        least = max(IDLE_SECONDS, min(LONG_IDLE_SECONDS, IDLE_FACTOR * usual))
    if makes_engines(pool):  # connecting keeps an event loop or a core from other work
        least = LONG_IDLE_SECONDS
    return (
        _is_used(place)
        and (place.idle_seconds_mean or 0.0) >= least
        and 1 - (place.querying or 0.0) >= IDLE_SHARE
        and place.idle >= IDLE_OF_POOL
    )


def _is_used(place: RecordedPlace) -> bool:
    return place.holds >= LEAST_HOLDS


def nested_checkouts(pool: RecordedPoolSummary) -> dict[str, int]:
    """Checkouts by requests that already held a connection, by route; empty: without a route.

    Without a route, a few are those of a start, which no other request hinders.
    """
    return {name: n for name, n in pool.nested.items() if name or n >= LEAST_HOLDS}


def mostly_ended(pool: RecordedPoolSummary) -> bool:
    """Whether the holds that ended, whose queries are known, are most of the time in use."""
    ended = sum((place.hold_seconds_mean or 0.0) * place.holds for place in pool.places)
    return bool(ended) and ended >= KNOWN_SHARE * pool.connections.in_use * pool.seconds


def checkouts_fail(pool: RecordedPoolSummary) -> bool:
    """Whether checkouts failed, not by a timeout, more often than once in a while."""
    return pool.checkout.errors >= LEAST_FAILED * pool.checkout.attempts > 0


def makes_engines(pool: RecordedPoolSummary) -> bool:
    """Whether far more connections are new than the pools of all processes keep."""
    new, kept = pool.checkout.by_source["new"], kept_by_pools(pool)
    return bool(kept) and new > NEW_SHARE * pool.checkout.count and new > NEW_FACTOR * kept


def kept_by_pools(pool: RecordedPoolSummary) -> int:
    """The connections that the pools of all processes keep without overflow."""
    sizes = [size for one in pool.settings if (size := one.get("pool_size"))]
    return max(sizes, default=0) * pool.processes
