"""The sums of an interval by the places and routes of an application."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from loadtest.model.distribution import Distribution, Nanoseconds
from loadtest.model.place_use import PlaceUse
from loadtest.model.steps import LetOthersRun, in_steps
from loadtest.model.task_use import TaskUse
from loadtest.pool.checkout_batch import Checkout, wait_of
from loadtest.pool.hold import ROUTE_BITS, Hold, place_in, route_in
from loadtest.pool.numbered_names import NumberedNames
from loadtest.pool.shortage_moments import Moment, Taken
from loadtest.pool.task_usage import NO_TASK, as_rows

_FAILURES = {"timeout": "timeouts", "error": "errors"}
_COUNTED = ("hold", "queries", "query")


class PlaceSums:
    """Adds up the use of a pool; histograms: `hold@PLACE` and `needed@PLACE`.

    let_others_run: called between the steps.
    """

    def __init__(
        self, places: NumberedNames, routes: NumberedNames, let_others_run: LetOthersRun
    ) -> None:
        self._places, self._routes, self._let_others_run = places, routes, let_others_run
        self._uses: defaultdict[str, PlaceUse] = defaultdict(PlaceUse)
        self._tasks: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.histograms: dict[str, Distribution] = {}

    def place_of(self, key: int) -> str:
        """The name of the place in a key."""
        return self._places.name(place_in(key))

    def _route_of(self, key: int) -> str:
        return self._routes.name(route_in(key))

    def add_checkouts(self, quick: Nanoseconds, noticed: Sequence[Checkout]) -> None:
        """Add finished checkouts, as in a Batch."""
        rows = self._in_order(np.column_stack((quick[:, 3], quick[:, 1] - quick[:, 0])))
        for key, number, (_, wait), (_, longest) in self._groups(rows, rows[:, 0]):
            self._add_waits(key, number, wait, longest)
        for checkout in in_steps(noticed, self._let_others_run):
            if isinstance(hold := checkout.task, Hold):
                wait, failure = wait_of(checkout), _FAILURES.get(checkout.outcome)
                self._add_waits(hold.key, 0 if failure else 1, wait, wait)
                if failure:
                    use = self._uses[self.place_of(hold.key)]
                    setattr(use, failure, getattr(use, failure) + 1)

    def _add_waits(self, key: int, served: int, wait: int, longest: int) -> None:
        use = self._uses[self.place_of(key)]
        use.checkouts += served
        use.wait += wait
        use.longest_wait = max(use.longest_wait, longest)
        if served and (route := self._route_of(key)) != NO_TASK:
            use.routes[route] += served

    def add_holds(self, ended: Nanoseconds) -> None:
        """Add ended holds, as in a Batch."""
        start, end, key, queries, query, quiet = ended.T
        hold = end - start
        rows = self._in_order(np.column_stack((key, hold, queries, query, hold - quiet)))
        for key, number, sums, _ in self._groups(rows, rows[:, 0]):
            if (route := self._route_of(key)) != NO_TASK:
                task = self._tasks[route]
                task["holds"] += number
                for name, value in zip(_COUNTED, sums[1:4], strict=True):
                    task[name] += value
        if len(rows):
            self._add_holds_of_places(rows, rows[:, 0] >> ROUTE_BITS)

    def _add_holds_of_places(self, rows: Nanoseconds, places: Nanoseconds) -> None:
        names = []
        for place, number, sums, most in self._groups(rows, places):
            names.append(self._places.name(place))
            use = self._uses[names[-1]]
            use.holds = number
            _, use.hold, use.queries, use.query, use.needed = sums
            use.longest_hold = most[1]
        begins = _begins(places)
        times = np.concatenate((rows[:, 1], rows[:, 4]))
        found = Distribution.of_groups(times, [*begins.tolist(), *(begins + len(rows)).tolist()])
        labels = (f"{kind}@{name}" for kind in ("hold", "needed") for name in names)
        for label, one in zip(labels, in_steps(found, self._let_others_run), strict=True):
            self.histograms[label] = one

    def add_nested(self, nested: list[int]) -> None:
        """Add checkouts by owners that already held connections, by their keys.

        The keys leave the list.
        """
        rows = self._in_order(as_rows(nested, 1, self._let_others_run))
        for key, number, _, _ in self._groups(rows, rows[:, 0]):
            self._tasks[self._route_of(key)]["nested"] += number
            self._uses[self.place_of(key)].nested += number

    def add_held(self, held: Sequence[Taken], now: int) -> None:
        """Add the holds in progress."""
        for since, hold, _ in in_steps(held, self._let_others_run):
            use = self._uses[self.place_of(hold.key)]
            use.kept += 1
            use.longest_hold = max(use.longest_hold, now - since)
            self._tasks[self._route_of(hold.key)]["kept"] += hold.over

    def add_responding(self, hold: Hold, *, responded: bool) -> None:
        """Count a hold whose response is being sent; responded: has been sent."""
        use = self._uses[self.place_of(hold.key)]
        if responded:
            use.after_response += 1
        else:
            use.responding += 1

    def add_shortages(self, moments: Sequence[Moment]) -> None:
        """Count the connections that each place held at some moments."""
        for moment in in_steps(moments, self._let_others_run):
            for key, number in Counter(hold.key for _, hold, _ in moment.holds).items():
                self._uses[self.place_of(key)].held += number

    def add_line(self, hold: Hold, line: str) -> None:
        """Count a hold without a query at this line."""
        self._uses[self.place_of(hold.key)].idle_at[line] += 1

    def places(self) -> dict[str, PlaceUse]:
        """The use by the names of places."""
        return dict(sorted(self._uses.items()))

    def tasks(self) -> dict[str, TaskUse]:
        """The use by the names of routes and tasks; outside of them, nested checkouts only."""
        named = {name: TaskUse(**use) for name, use in self._tasks.items() if name != NO_TASK}
        named[NO_TASK] = TaskUse(nested=self._tasks[NO_TASK]["nested"])
        return {name: use for name, use in sorted(named.items()) if use != TaskUse()}

    def _in_order(self, rows: Nanoseconds) -> Nanoseconds:
        """The rows in the order of their first number."""
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        self._let_others_run()
        return rows

    def _groups(
        self, rows: Nanoseconds, keys: Nanoseconds
    ) -> Iterator[tuple[int, int, list[int], list[int]]]:
        """The groups of rows with the same key: the key, and number, sums and maxima of the rows.

        keys: of all rows, in order.
        """
        if len(rows):
            begins = _begins(keys)
            sizes = np.concatenate((begins[1:], [len(rows)])) - begins
            sums, most = (how.reduceat(rows, begins) for how in (np.add, np.maximum))
            columns = (keys[begins], sizes, sums, most)
            yield from in_steps(
                zip(*(one.tolist() for one in columns), strict=True), self._let_others_run
            )


def _begins(keys: Nanoseconds) -> Nanoseconds:
    """Where the groups of equal keys begin."""
    return np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
