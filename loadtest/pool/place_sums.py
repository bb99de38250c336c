"""The sums of an interval by the places and routes of an application."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from loadtest.model.distribution import Distribution, Nanoseconds
from loadtest.model.place_use import PlaceUse
from loadtest.model.task_use import TaskUse
from loadtest.pool.checkout_batch import Checkout, wait_of
from loadtest.pool.hold import ROUTE_BITS, Hold, place_in, route_in
from loadtest.pool.numbered_names import NumberedNames
from loadtest.pool.shortage_moments import Moment, Taken
from loadtest.pool.task_usage import NO_TASK, numbers_as_rows

_T = TypeVar("_T")
# The application's threads wait no longer than these take.
_ROWS_AT_ONCE, _ITEMS_AT_ONCE = 1000, 50
_FAILURES = {"timeout": "timeouts", "error": "errors"}


class PlaceSums:
    """Adds up the use of a pool; histograms: `hold@PLACE` and `needed@PLACE`.

    let_others_run: called between the places.
    """

    def __init__(
        self, places: NumberedNames, routes: NumberedNames, let_others_run: Callable[[], None]
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

    def add_checkouts(self, quick: list[int], noticed: Sequence[Checkout]) -> None:
        """Add finished checkouts. quick: key, wait, key, wait and so on."""
        for key, rows in _grouped(self._rows(quick, 2)):
            self._add_waits(key, len(rows), int(rows[:, 1].sum()), int(rows[:, 1].max()))
        for checkout in self._in_steps(noticed):
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

    def add_holds(self, ended: list[int]) -> None:
        """Add ended holds; for each: key, hold, number and time of the queries, needed."""
        holds = self._rows(ended, 5)
        for key, rows in _grouped(holds):
            hold, queries, query, _ = map(int, rows[:, 1:].sum(axis=0))
            task = self._tasks[self._route_of(key)]
            task.update(holds=len(rows), hold=hold, queries=queries, query=query)
        holds[:, 0] >>= ROUTE_BITS
        for place, rows in _grouped(holds):
            self._add_holds_of(self._places.name(place), rows)
            self._let_others_run()

    def _add_holds_of(self, place: str, rows: Nanoseconds) -> None:
        use = self._uses[place]
        use.holds += len(rows)
        use.hold, use.queries, use.query, use.needed = map(int, rows[:, 1:].sum(axis=0))
        use.longest_hold = int(rows[:, 1].max())
        self.histograms[f"hold@{place}"] = Distribution.of(rows[:, 1])
        self.histograms[f"needed@{place}"] = Distribution.of(rows[:, 4])

    def add_nested(self, nested: list[int]) -> None:
        """Add checkouts by owners that already held connections; for each: route and number."""
        for route, rows in _grouped(self._rows(nested, 2)):
            self._tasks[self._routes.name(route)]["nested"] += len(rows)

    def add_held(self, held: Sequence[Taken], now: int) -> None:
        """Add the holds in progress."""
        for since, hold, _ in held:
            use = self._uses[self.place_of(hold.key)]
            use.kept += 1
            use.longest_hold = max(use.longest_hold, now - since)
            self._tasks[self._route_of(hold.key)]["kept"] += hold.over

    def add_shortages(self, moments: Sequence[Moment]) -> None:
        """Count the connections that each place held at some moments."""
        for moment in self._in_steps(moments):
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

    def _rows(self, numbers: list[int], columns: int) -> Nanoseconds:
        """A flat list as rows, in steps."""
        step = columns * _ROWS_AT_ONCE
        parts = [numbers_as_rows([], columns)]
        for begin in range(0, len(numbers), step):
            parts.append(numbers_as_rows(numbers[begin : begin + step], columns))
            self._let_others_run()
        return np.concatenate(parts)

    def _in_steps(self, items: Sequence[_T]) -> Iterator[_T]:
        for number, item in enumerate(items):
            if number % _ITEMS_AT_ONCE == _ITEMS_AT_ONCE - 1:
                self._let_others_run()
            yield item


def _grouped(rows: Nanoseconds) -> Iterator[tuple[int, Nanoseconds]]:
    """The rows by their first number."""
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    keys, begins = np.unique(rows[:, 0], return_index=True)
    yield from zip(keys.tolist(), np.split(rows, begins[1:]), strict=True) if len(rows) else ()
