"""Collects the use of a pool by place and route of an application, and adds it to intervals."""

from __future__ import annotations

from collections.abc import Callable
from heapq import nsmallest
from typing import Any, Protocol

from loadtest.model.interval import Interval
from loadtest.model.steps import LetOthersRun, in_steps
from loadtest.pool.checkout_batch import Batch, Checkout, wait_of
from loadtest.pool.hold import Hold
from loadtest.pool.numbered_names import NumberedNames
from loadtest.pool.place_sums import PlaceSums
from loadtest.pool.shortage_moments import Moment, Taken, worst_of
from loadtest.pool.task_usage import NO_TASK, taken

# A checkout that waited this long (ns) for a connection of others is a shortage.
LONG_WAIT = 10_000_000
# In an interval no more shortages are looked at.
_MOST_SHORTAGES = 1000
_MOST_ROUTES = 200
# In a cut no more holders are looked at.
_MOST_HOLDERS = 50

Route = tuple[object, str]
"""An object for each request, None without one; and the name of its route or task."""


class RequestWaits:
    """The long waits for connections that a request has had so far (ns), and its pool timeouts.

    responding: whether its response has begun, where that is noted; responded: and has been sent.
    """

    __slots__ = ("responded", "responding", "timeouts", "waited")

    def __init__(self, waited: int = 0, timeouts: int = 0) -> None:
        self.waited, self.timeouts = waited, timeouts
        self.responding = self.responded = False


class Request(RequestWaits):
    """A request of a framework that tells its end; ended: whether it has ended."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.waited = self.timeouts = 0
        self.ended = self.responding = self.responded = False


class Code(Protocol):
    """Finds places in the code of an application."""

    names: NumberedNames

    def number(self, above: int) -> int:
        """The number of the place of a checkout.

        above: the levels from the caller of this to the frame that asked for the checkout.
        """

    def line_of(self, hold: Hold) -> str:
        """The line of code at which the user of a hold is."""


class PlaceRecorder:
    """What the checkouts and holds of one pool leave behind, by place and route.

    held: the recorder's. code: finds places in the application's code. route: returns the route of
    the running request. routes: its number; no_route: that of none. limit: the most connections of
    the pool; None without a limit. holding: the number of connections by the owner of their holds.
    latest: the hold that ended last, and its end.
    `measured_places` appends to two lists. nested: the key of each checkout by an owner that held
    a connection. ended: flat, as in a Batch.
    """

    def __init__(
        self,
        held: dict[object, tuple[int, Any, int]],
        code: Code,
        route: Callable[[], Route],
    ) -> None:
        self._held, self.route, self.code = held, route, code
        self.routes = NumberedNames(_MOST_ROUTES + 1, "(other routes)")
        self.no_route = self.routes.number(NO_TASK)
        self.limit: int | None = None
        self.nested: list[int] = []
        self.ended: list[int] = []
        self._shortages: list[Moment] = []
        self.holding: dict[object, int] = {}
        self.latest: tuple[Taken, int] | None = None
        # The queries that each hold had run when the end of its user's work was noted.
        self._after: dict[Hold, int] = {}

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
        if isinstance(owner := getattr(checkout.task, "owner", None), RequestWaits):
            owner.waited += wait
            owner.timeouts += timed_out
        if not timed_out and (checkout.outcome != "ok" or wait < LONG_WAIT or not self._scarce()):
            return
        if len(self._shortages) < _MOST_SHORTAGES:
            own = checkout.task
            holds = [one for one in self._held.copy().values() if one[1] is not own]
            if self.latest and not timed_out and self.latest[1] >= checkout.start:
                holds.append(self.latest[0])
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
        sums = PlaceSums(self.code.names, self.routes, let_others_run)
        sums.add_checkouts(batch.quick, batch.noticed)
        sums.add_holds(batch.ended)
        sums.add_nested(self.nested)
        sums.add_held(held, batch.now)
        self._add_responding(sums, held, let_others_run)
        sums.add_shortages(moments := taken(self._shortages))
        self._add_lines(sums, held, let_others_run)
        interval.places, interval.tasks = sums.places(), sums.tasks()
        interval.histograms.update(sums.histograms)
        let_others_run()
        interval.shortages = [one.described(sums.place_of, utc) for one in worst_of(moments)]

    def _add_responding(
        self, sums: PlaceSums, held: list[Taken], let_others_run: LetOthersRun
    ) -> None:
        """The holds whose response is sent, or has been sent."""
        responding = [
            (hold, hold.owner.responded)
            for _, hold, _ in in_steps(held, let_others_run)
            if isinstance(hold.owner, RequestWaits) and hold.owner.responding
        ]
        # Others have returned their connection since this cut, then responded.
        still = self._still_held() if responding else set()
        for hold, responded in responding:
            if hold in still:
                sums.add_responding(hold, responded=responded)

    def _add_lines(self, sums: PlaceSums, held: list[Taken], let_others_run: LetOthersRun) -> None:
        """Where the oldest holders without a query are; unknown if others use a connection on."""
        idle = (one for one in held if not one[1].querying)
        found = (one for one in idle if one[1].over or not one[1].user_ended())
        oldest = nsmallest(_MOST_HOLDERS, found, key=_since)
        lines = [(hold, self.code.line_of(hold)) for _, hold, _ in in_steps(oldest, let_others_run)]
        still = self._still_held()
        for hold, line in lines:
            if hold in still:  # else the user has gone on to this line without the connection
                sums.add_line(hold, line)

    def _note_ended(self, held: list[Taken], let_others_run: LetOthersRun) -> None:
        """Note which holds are over: the work of their users has ended, and no query follows.

        With `asyncio.gather` and the like, the user is a task that ends after its query, and the
        connection stays in use. The ids of owners whose work has ended may come again.
        """
        before, self._after = self._after, {}
        ended = [hold for _, hold, _ in in_steps(held, let_others_run) if hold.work_ended()]
        # Others have returned their connection since this cut, then ended.
        for hold in self._still_held().intersection(ended):
            queries = self._after[hold] = before.get(hold, hold.queries)
            hold.over = hold.queries == queries and not hold.querying
            if hold.over:
                self.holding.pop(hold.owner, None)

    def _still_held(self) -> set[Hold]:
        return {hold for _, hold, _ in self._held.copy().values()}

    def restart(self) -> None:
        """Forget everything, after a fork."""
        for numbers in (self.nested, self.ended, self._shortages):
            numbers.clear()
        self.holding.clear()
        self._after.clear()
        self.latest = None


def _since(one: Taken) -> int:
    return one[0]
