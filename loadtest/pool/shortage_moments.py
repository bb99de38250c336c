"""The moments at which checkouts waited long or timed out, and the holds in progress then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from heapq import nlargest
from typing import Any, NamedTuple

from loadtest.model.place_use import SHORTAGES_KEPT, Holders, Shortage

Taken = tuple[int, Any, int]
"""A hold in progress: its begin (ns), the Hold, and the id of its user."""


class Moment(NamedTuple):
    """The end of a checkout that waited long or timed out; at: clock nanoseconds.

    waiter: the Hold of the checkout. holds: those of others, with the one whose end ended the wait.
    """

    at: int
    wait: int
    timed_out: bool
    waiter: Any
    holds: Sequence[Taken]

    def described(self, place_of: Callable[[int], str], utc: Callable[[int], int]) -> Shortage:
        """The shortage for an interval. place_of: returns the name of a place by a hold's key."""
        ages: dict[str, list[int]] = defaultdict(list)
        for since, hold, _ in self.holds:
            ages[place_of(hold.key)].append(self.at - since)
        holders = [Holders(place, len(of), max(0, *of)) for place, of in ages.items()]
        holders.sort(key=lambda one: (-one.connections, -one.oldest, one.place))
        place = place_of(self.waiter.key)
        return Shortage(utc(self.at), self.wait, self.timed_out, place, tuple(holders))


def worst_of(moments: Sequence[Moment]) -> list[Moment]:
    """The longest waits of an interval."""
    return nlargest(SHORTAGES_KEPT, moments, key=lambda one: one.wait)
