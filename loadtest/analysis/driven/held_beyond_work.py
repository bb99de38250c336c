"""Connections that are held while a response is sent, or after it has been sent."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.analysis.recordings.pool_judgement import IDLE_OF_POOL, NAMED_PLACES
from loadtest.analysis.units import listed, percent
from loadtest.model.recorded_places import RecordedPlace
from loadtest.model.recording_summary import RecordedPoolSummary
from loadtest.model.summary import Finding

# Fewer holds that were found at such a time are chance.
LEAST_FOUND = 3


def held_while_streaming(recorded: RecordedPoolSummary) -> Iterator[Finding]:
    """Places that held connections while the responses of their requests were sent."""
    for place in recorded.places:
        found = place.responding_seconds
        if not _is_notable(recorded, found):
            continue
        yield Finding(
            code="held_while_streaming",
            severity="warning",
            message=f"{_named(place)} held a connection while the response was sent, for "
            f"{_of_pool(recorded, found)}. A slow client then keeps a connection. Read the rows "
            "before the response begins, and return the connection; a long stream can read in "
            "parts, each with a connection of its own.",
            evidence=_evidence(recorded, place, found),
        )


def held_after_response(recorded: RecordedPoolSummary) -> Iterator[Finding]:
    """The same after the responses had been sent: in background tasks, or sessions closed late."""
    for place in recorded.places:
        found = place.after_response_seconds
        if place.lost or not _is_notable(recorded, found):
            continue
        yield Finding(
            code="held_after_response",
            severity="info",
            message=f"{_named(place)} held a connection after the response had been sent, for "
            f"{_of_pool(recorded, found)}: a background task that uses it, or a session that is "
            "closed late. No request waits for this work, but it takes connections from requests. "
            "Give background tasks an engine with a small pool of their own, and close other "
            "sessions before the response is sent.",
            evidence=_evidence(recorded, place, found),
        )


def _share(recorded: RecordedPoolSummary, found: int) -> float:
    return found / max(recorded.connections.in_use * recorded.seconds, 1.0)


def _is_notable(recorded: RecordedPoolSummary, found: int) -> bool:
    return found >= LEAST_FOUND and _share(recorded, found) >= IDLE_OF_POOL


def _of_pool(recorded: RecordedPoolSummary, found: int) -> str:
    share = percent(min(_share(recorded, found), 1.0))
    return f"{share} of the time in which connections of the pool were in use"


def _named(place: RecordedPlace) -> str:
    routes = [f"`{route}`" for route in place.routes if route][:NAMED_PLACES]
    return f"`{place.place}`{f' (in {listed(routes)})' if routes else ''}"


def _evidence(recorded: RecordedPoolSummary, place: RecordedPlace, found: int) -> dict[str, object]:
    return {
        **{"place": place.place, "found": found, "share": _share(recorded, found)},
        **{"hold": place.hold_seconds_mean, "hold_max": place.hold_seconds_max},
    }
