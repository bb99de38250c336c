"""Collects the use of a pool by place and route of an application, and adds it to intervals."""

from __future__ import annotations

from collections.abc import Callable
from heapq import nsmallest
from types import FrameType
from typing import Any, Protocol

from loadtest.model.interval import Interval
from loadtest.model.steps import LetOthersRun, in_steps
from loadtest.pool.checkout_batch import Batch, Checkout, wait_of
from loadtest.pool.hold import Hold, key_of
from loadtest.pool.numbered_names import NumberedNames
from loadtest.pool.place_sums import PlaceSums
from loadtest.pool.shortage_moments import Moment, Taken, worst_of
from loadtest.pool.task_usage import Use, taken

# A checkout that waited this long (ns) for a connection of others is a shortage.
LONG_WAIT = 10_000_000
# In an interval no more shortages are looked at.
_MOST_SHORTAGES = 1000
_MOST_ROUTES = 200
# In a cut no more holders are looked at.
_MOST_HOLDERS = 50

Route = tuple[object, str]
"""An object for each request, None without one; and the name of its route or task."""


class Request:
    """A request of a framework that tells its end; ended: whether it has ended."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = False


class Code(Protocol):
    """Finds places in the code of an application."""

    names: NumberedNames

    def number(self, frame: FrameType) -> int:
        """The number of the place of a checkout on this stack."""

    def line_of(self, hold: Hold) -> str:
        """The line of code at which the user of a hold is."""


class PlaceRecorder:
    """What the checkouts and holds of one pool leave behind, by place and route.

    held: the recorder's. use: of its holds. code: finds places in the application's code. route:
    returns the route of the running request. limit: the most connections of the pool; None without
    a limit. quick: key and wait of each checkout that found an idle connection.
    """

    def __init__(
        self,
        held: dict[object, tuple[int, Any, int]],
        use: Use,
        code: Code,
        route: Callable[[], Route],
    ) -> None:
        self._held, self._use, self._route, self._code = held, use, route, code
        self._routes = NumberedNames(_MOST_ROUTES, "(other routes)")
        self.limit: int | None = None
        self.quick: list[int] = []
        self._nested: list[int] = []
        self._ended: list[int] = []
        self._shortages: list[Moment] = []
        # The number of connections by the owner of their holds.
        self._holding: dict[object, int] = {}
        # The queries that each hold had run when the end of its user's work was noted.
        self._after: dict[Hold, int] = {}
        self._latest: Taken | None = None
        self._latest_end = 0

    def begin(self, user: Any, frame: FrameType) -> Hold:
        """A checkout of this user begins."""
        request, name = self._route()
        # An object that a hold refers to keeps its identity, but a user must not be kept alive.
        owner = id(user) if request is None else request
        route = self._routes.number(name)
        if not route:
            name = self._routes.name(route)
        if holding := self._holding.get(owner):
            self._nested.extend((route, holding))
        return Hold(key_of(self._code.number(frame), route), name, self._use, user, owner)

    def took(self, hold: Hold, now: int) -> None:
        """A checkout has ended with a connection."""
        hold.quiet_since = now
        self._holding[hold.owner] = self._holding.get(hold.owner, 0) + 1

    def ended(self, finished: Taken, now: int) -> None:
        """A connection is returned."""
        start, hold, _ = finished
        self.dropped(hold)
        self._use.holds.extend((start, now))
        row = hold.key, now - start, hold.queries, hold.query, hold.needed(start, now)
        self._ended.extend(row)
        self._latest, self._latest_end = finished, now

    def dropped(self, hold: Hold) -> None:
        """An owner has a connection less."""
        left = self._holding.pop(hold.owner, 0) - 1
        if left > 0:
            self._holding[hold.owner] = left

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
        let_others_run: LetOthersRun,
    ) -> None:
        """Add everything since the last call to an interval, which ends with the batch."""
        held = [one for one in self._held.copy().values() if one[0] <= batch.now]
        self._note_ended(held, let_others_run)
        sums = PlaceSums(self._code.names, self._routes, let_others_run)
        sums.add_checkouts(self.quick, batch.noticed)
        sums.add_holds(self._ended)
        sums.add_nested(self._nested)
        sums.add_held(held, batch.now)
        sums.add_shortages(moments := taken(self._shortages))
        self._add_lines(sums, held, let_others_run)
        interval.places, interval.tasks = sums.places(), sums.tasks()
        interval.histograms.update(sums.histograms)
        let_others_run()
        interval.shortages = [one.described(sums.place_of, utc) for one in worst_of(moments)]

    def _add_lines(self, sums: PlaceSums, held: list[Taken], let_others_run: LetOthersRun) -> None:
        """Where the oldest holders without a query are; unknown if others use a connection on."""
        idle = (one for one in held if not one[1].querying)
        found = (one for one in idle if one[1].over or not one[1].user_ended())
        oldest = nsmallest(_MOST_HOLDERS, found, key=_since)
        for _, hold, _ in in_steps(oldest, let_others_run):
            sums.add_line(hold, self._code.line_of(hold))

    def _note_ended(self, held: list[Taken], let_others_run: LetOthersRun) -> None:
        """Note which holds are over: the work of their users has ended, and no query follows.

        With `asyncio.gather` and the like, the user is a task that ends after its query, and the
        connection stays in use. The ids of owners whose work has ended may come again.
        """
        before, self._after = self._after, {}
        for _, hold, _ in in_steps(held, let_others_run):
            if hold.work_ended():
                queries = self._after[hold] = before.get(hold, hold.queries)
                hold.over = hold.queries == queries and not hold.querying
                if hold.over:
                    self._holding.pop(hold.owner, None)

    def restart(self) -> None:
        """Forget everything, after a fork."""
        for numbers in (self.quick, self._nested, self._ended, self._shortages):
            numbers.clear()
        self._holding.clear()
        self._after.clear()
        self._latest = None


def _since(one: Taken) -> int:
    return one[0]
