"""What an application's lines of code do with a pool, and which of them held it in a shortage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Of an interval or a recording, as many of the longest shortages are kept.
SHORTAGES_KEPT = 5
# Instead of a line of a holder: it runs no code of the application, or has ended.
OUTSIDE_APPLICATION, USER_ENDED = "(outside the application)", "(ended)"


@dataclass(slots=True)
class PlaceUse:
    """The use of connections by the checkouts of one place: counts, and sums in nanoseconds.

    A place is the first line of code outside libraries, with its function. wait: with failed
    checkouts. longest_hold: also of a hold in progress. query: time in statements and COMMITs
    during the holds. needed: the holds without the longest time without a query of each. held: for
    each shortage, the connections that this place held then. nested: checkouts by a user that
    already held a connection. kept: holds in progress at the end. responding: how often a hold was
    found at the end of a second while the response of its request was sent, after_response: after
    that, in driven applications. routes: the checkouts by the name of a route or task. idle_at: by
    line, how often a hold was found there without a query at the end of a second.
    """

    checkouts: int = 0
    timeouts: int = 0
    errors: int = 0
    wait: int = 0
    longest_wait: int = 0
    holds: int = 0
    hold: int = 0
    longest_hold: int = 0
    queries: int = 0
    query: int = 0
    needed: int = 0
    held: int = 0
    nested: int = 0
    kept: int = 0
    responding: int = 0
    routes: Counter[str] = field(default_factory=Counter)
    idle_at: Counter[str] = field(default_factory=Counter)
    after_response: int = 0

    def then(self, later: PlaceUse) -> PlaceUse:
        """The use in this period and the next."""
        joined = PlaceUse()
        joined.absorb(self)
        joined.absorb(later)
        return joined

    def beside(self, other: PlaceUse) -> PlaceUse:
        """The use in two processes together."""
        joined = self.then(other)
        joined.kept = self.kept + other.kept
        return joined

    def absorb(self, later: PlaceUse) -> None:
        """`then` in place, for running totals."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(later, name))
        self.longest_wait = max(self.longest_wait, later.longest_wait)
        self.longest_hold = max(self.longest_hold, later.longest_hold)
        self.kept = later.kept
        self.routes.update(later.routes)
        self.idle_at.update(later.idle_at)

    def to_json(self) -> dict[str, Any]:
        """The use for a line of a result file; zeros are left out."""
        return {name: value for name in _ALL if (value := getattr(self, name))}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PlaceUse:
        """Read what `to_json` wrote."""
        counted = {name: Counter(data.get(name, {})) for name in ("routes", "idle_at")}
        return cls(**(data | counted))


@dataclass(frozen=True, slots=True, order=True)
class Holders:
    """The connections that one place held at a moment; oldest: the age of the longest hold (ns)."""

    place: str
    connections: int
    oldest: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """A checkout that waited long or timed out, and the places that held the connections then.

    place: the one that waited. wait: nanoseconds. at: UTC nanoseconds.
    """

    at: int
    wait: int
    timed_out: bool
    place: str
    holders: tuple[Holders, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The shortage for a line of a result file."""
        return {
            "at": self.at,
            "wait": self.wait,
            "timed_out": self.timed_out,
            "place": self.place,
            "holders": [[h.place, h.connections, h.oldest] for h in self.holders],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Shortage:
        """Read what `to_json` wrote."""
        return cls(**(data | {"holders": tuple(Holders(*one) for one in data["holders"])}))


def longest(shortages: list[Shortage]) -> list[Shortage]:
    """The longest SHORTAGES_KEPT of some shortages."""

    def order(one: Shortage) -> tuple[object, ...]:
        return -one.wait, one.at, one.place, one.timed_out, one.holders

    return sorted(shortages, key=order)[:SHORTAGES_KEPT]


_ALL = tuple(PlaceUse.__slots__)
_NOT_SUMS = {"longest_wait", "longest_hold", "kept", "routes", "idle_at"}
_SUMS = tuple(name for name in _ALL if name not in _NOT_SUMS)
