"""Collects the use of a pool by place and route of an application, and adds it to intervals."""

from __future__ import annotations

from collections.abc import Callable
from heapq import nsmallest
from typing import Any, Protocol
from weakref import ref

from loadtest.model.interval import Interval
from loadtest.pool.checkout_batch import Batch, Checkout, wait_of
from loadtest.pool.hold import ROUTE_BITS, Hold
from loadtest.pool.numbered_names import NumberedNames
from loadtest.pool.place_sums import PlaceSums
from loadtest.pool.shortage_moments import Moment, Taken, worst_of
from loadtest.pool.task_usage import NO_TASK, Use, taken

# A checkout that waited this long (ns) for a connection of others is a shortage.
LONG_WAIT = 10_000_000
# In an interval no more shortages are looked at.
_MOST_SHORTAGES = 1000
_MOST_ROUTES = 200
# In a cut no more holders are looked at.
_MOST_HOLDERS = 50

Route = tuple[object, str]
"""An object for each request, None without one; and the name of its route or task."""


class Code(Protocol):
    """Finds places in the code of an application."""

    names: NumberedNames

    def number(self, above: int) -> int:
        """The number of the place of a checkout; its caller is so many levels above this one's."""

    def line_of(self, hold: Hold) -> str:
        """The line of code at which the user of a hold is."""


class PlaceRecorder:
    """What the checkouts and holds of one pool leave behind, by place and route.

    held: the recorder's. use: of its holds. code: finds places in the application's code. route:
    returns the route of the running request. limit: the most connections of the pool; None without
    a limit. quick: key and wait of each checkout that found an idle connection. holding: the number
    of connections by the owner of their holds.
    """

    def __init__(
        self,
        held: dict[object, tuple[int, Any, int]],
        use: Use,
        code: Code,
        route: Callable[[], Route],
    ) -> None:
        self._held, self._use, self._route, self._code = held, use, route, code
        self._routes = NumberedNames(_MOST_ROUTES + 1, "(other routes)")
        self._no_route = self._routes.number(NO_TASK)
        self.limit: int | None = None
        self.quick: list[int] = []
        self._nested: list[int] = []
        self._ended: list[int] = []
        self._shortages: list[Moment] = []
        self.holding: dict[object, int] = {}
        self._latest: Taken | None = None
        self._latest_end = 0

    def begin(self, user: Any) -> Hold:
        """A checkout of this user begins; it was asked for by the caller of the caller."""
        request, name = self._route()
        user = ref(user)
        owner = user if request is None else request
        route = self._routes.number(name) if name else self._no_route
        if not route:
            name = self._routes.name(route)
        if holding := self.holding.get(owner):
            self._nested.extend((route, holding))
        key = self._code.number(2) << ROUTE_BITS | route
        return Hold(key, name, self._use, user, owner)

    def ended(self, finished: Taken, now: int) -> None:
        """A connection is returned."""
        start, hold, _ = finished
        self.dropped(hold)
        self._use.holds.extend((start, now))
        if (quiet := now - hold.quiet_since) < hold.quiet:
            quiet = hold.quiet
        self._ended.extend((hold.key, now - start, hold.queries, hold.query, now - start - quiet))
        self._latest, self._latest_end = finished, now

    def dropped(self, hold: Hold) -> None:
        """An owner has a connection less."""
        left = self.holding.pop(hold.owner, 0) - 1
        if left > 0:
            self.holding[hold.owner] = left

    def waited(self, checkout: Checkout) -> None:
        """A checkout has ended that was not quick; note who held connections, if it is a shortage.

        The connection that ended a wait was in use until then.
        """
        timed_out = checkout.outcome == "timeout"
        wait = wait_of(checkout)
        if not timed_out and (checkout.outcome != "ok" or wait < LONG_WAIT or not self._scarce()):
            return
        if len(self._shortages) < _MOST_SHORTAGES:
            own = checkout.task
            holds = [one for one in self._held.copy().values() if one[1] is not own]
            if self._latest and not timed_out and self._latest_end >= checkout.start:
                holds.append(self._latest)
            self._shortages.append(Moment(checkout.end, wait, timed_out, own, holds))

    def _scarce(self) -> bool:
        """Whether the pool is in use at all; a busy machine lets threads wait for its CPU, too."""
        return self.limit is None or 2 * (len(self._held) + 1) >= self.limit

    def add_to(
        self,
        interval: Interval,
        batch: Batch,
        utc: Callable[[int], int],
        let_others_run: Callable[[], None],
    ) -> None:
        """Add everything since the last call to an interval, which ends with the batch."""
        held = [one for one in self._held.copy().values() if one[0] <= batch.now]
        self._forget_ended(held)
        sums = PlaceSums(self._code.names, self._routes, let_others_run)
        sums.add_checkouts(taken(self.quick), batch.noticed)
        sums.add_holds(taken(self._ended))
        sums.add_nested(taken(self._nested))
        sums.add_held(held, batch.now)
        sums.add_shortages(moments := taken(self._shortages))
        self._add_lines(sums, held)
        interval.places, interval.tasks = sums.places(), sums.tasks()
        interval.histograms.update(sums.histograms)
        interval.shortages = [one.described(sums.place_of, utc) for one in worst_of(moments)]

    def _add_lines(self, sums: PlaceSums, held: list[Taken]) -> None:
        """Where the oldest holders without a query are."""
        idle = nsmallest(_MOST_HOLDERS, (one for one in held if not one[1].querying), key=_since)
        for _, hold, _ in idle:
            sums.add_line(hold, self._code.line_of(hold))

    def _forget_ended(self, held: list[Taken]) -> None:
        """Note whose users have ended: the ids of their owners may come again."""
        for _, hold, _ in held:
            if not hold.over and hold.user_ended():
                hold.over = True
                self.holding.pop(hold.owner, None)

    def restart(self) -> None:
        """Forget everything, after a fork."""
        for numbers in (self.quick, self._nested, self._ended, self._shortages):
            numbers.clear()
        self.holding.clear()
        self._latest = None


def _since(one: Taken) -> int:
    return one[0]
