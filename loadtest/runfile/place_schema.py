"""The fields that only a recording has: its part in the header, places and shortages."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class PlaceLine(Struct, frozen=True):
    """The use of a pool by one place of an application; `PlaceUse` describes the fields."""

    checkouts: Count = 0
    timeouts: Count = 0
    errors: Count = 0
    wait: Count = 0
    longest_wait: Count = 0
    holds: Count = 0
    hold: Count = 0
    longest_hold: Count = 0
    queries: Count = 0
    query: Count = 0
    needed: Count = 0
    held: Count = 0
    nested: Count = 0
    kept: Count = 0
    responding: Count = 0
    routes: dict[str, Count] = {}
    idle_at: dict[str, Count] = {}
    after_response: Count = 0


class ShortageLine(Struct, frozen=True):
    """A shortage, each holder as place, connections and age (ns); see `Shortage`."""

    at: Count
    wait: Count
    timed_out: bool
    place: str
    holders: tuple[tuple[str, Count, Count], ...] = ()


class RecordedPart(Struct, frozen=True):
    """The part of a recording that a file is: of a process, by number from 1; its database.

    began: when the recorder of the process began (UTC seconds; 0 in older files); a later process
    may have the same name.
    """

    process: str = ""
    began: float = 0.0
    part: Count = 1
    database: str = ""
