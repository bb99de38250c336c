"""The measurements of one process in one second, and how they add up.

All added values are integers (counts and nanoseconds), so addition is exact and independent of the
order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from loadtest.model.distribution import Distribution
from loadtest.model.named_values import Join, by_name, together
from loadtest.model.place_use import PlaceUse, Shortage, longest
from loadtest.model.request_use import RequestUse
from loadtest.model.steps import LetOthersRun, go_on, in_steps
from loadtest.model.task_use import TaskUse

SECOND = 1_000_000_000  # nanoseconds
SLOWEST_KEPT = 5

# The process name of the intervals of the database server.
SERVER = "server"
# The gauges of the pool of PoolUsers beside the users of an application begin with this.
BESIDE = "beside_"
# The counters of engines that were made, by the line of code that follows.
ENGINES_OF = "engines@"
# The counters of checkouts that ended, with a connection or without.
ENDED_CHECKOUTS = ("checkouts", "timeouts", "checkout_errors")
# The histograms of requests: successful, failed, and ended by Locust's control flow.
REQUEST_TIMES = ("request", "failed_request", "abandoned_request")

Period = Literal["warmup", "measured", "drain"]
ProcessRole = Literal["", "application"]  # empty: of the load generator, or of the server


@dataclass(frozen=True, slots=True)
class Gauge:
    """A level over a period: integral (level x ns), minimum, maximum and last value."""

    integral: int = 0
    min: int = 0
    max: int = 0
    last: int = 0

    def then(self, later: Gauge) -> Gauge:
        """The same level over this period and the next."""
        return Gauge(
            self.integral + later.integral,
            min(self.min, later.min),
            max(self.max, later.max),
            later.last,
        )

    def beside(self, other: Gauge) -> Gauge:
        """The sum of two levels in the same period; minimum and maximum are bounds."""
        return Gauge(
            self.integral + other.integral,
            self.min + other.min,
            self.max + other.max,
            self.last + other.last,
        )


@dataclass(frozen=True, slots=True)
class Fair:
    """The users' shares of the pool since measuring began: sums that add up over processes.

    served: users that got a connection. squares: the sum of their squared checkouts. longest_wait:
    nanoseconds, including waits in progress.
    """

    users: int = 0
    served: int = 0
    checkouts: int = 0
    squares: int = 0
    longest_wait: int = 0

    @property
    def jain(self) -> float | None:
        """Jain's index, 1 if all users got equal shares (Jain, Chiu, Hawe, DEC-TR-301, 1984)."""
        return self.checkouts**2 / (self.users * self.squares) if self.squares else None

    def beside(self, other: Fair) -> Fair:
        """The users of two processes together."""
        return Fair(
            self.users + other.users,
            self.served + other.served,
            self.checkouts + other.checkouts,
            self.squares + other.squares,
            max(self.longest_wait, other.longest_wait),
        )


@dataclass(frozen=True, slots=True)
class SlowCheckout:
    """One of the slowest checkouts of an interval; times in nanoseconds.

    hold: until the return of the connection, or so far; None without a connection.
    """

    total: int
    wait: int = 0
    connect: int = 0
    ping: int = 0
    hold: int | None = None
    task: str | None = None
    overflow: int = 0
    waiting: int = 0


@dataclass(slots=True)
class Interval:
    """The measurements of one process in (a part of) one UTC second.

    A second is cut where a period (warm-up, measured, drain) or a stage ends.
    length: its nanoseconds. unfinished: the ages of the waits in progress at its end. fair: the
    shares at its end. tasks: by name. examples: the first error of each kind. stage: its stage, if
    the load has stages; empty if it covers parts of two, which a slow server can cause.
    first_failure: the time (UTC nanoseconds) of its first failed request, 0 without one. places,
    shortages: only in recordings; the histograms `hold@PLACE` and `needed@PLACE` belong to them.
    role: the process's. requests: by name, of users that drive an application.
    """

    second: int
    process: str = ""
    period: Period = "measured"
    length: int = SECOND
    counters: Counter[str] = field(default_factory=Counter)
    gauges: dict[str, Gauge] = field(default_factory=dict)
    histograms: dict[str, Distribution] = field(default_factory=dict)
    unfinished: Distribution = field(default_factory=Distribution)
    slowest: list[SlowCheckout] = field(default_factory=list)
    fair: Fair = Fair()
    tasks: dict[str, TaskUse] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    stage: str = ""
    first_failure: int = 0
    places: dict[str, PlaceUse] = field(default_factory=dict)
    shortages: list[Shortage] = field(default_factory=list)
    role: ProcessRole = ""
    requests: dict[str, RequestUse] = field(default_factory=dict)

    def then(self, later: Interval) -> Interval:
        """The interval that covers this one and a later one of the same process."""
        joined = _joined(self, later, _THEN)
        joined.length = self.length + later.length
        joined.unfinished = Distribution() + later.unfinished
        joined.fair = later.fair
        return joined

    def beside(self, other: Interval) -> Interval:
        """The interval of two processes together in the same second."""
        joined = _joined(self, other, _BESIDE)
        joined.length = max(self.length, other.length)
        joined.unfinished = self.unfinished + other.unfinished
        joined.fair = self.fair.beside(other.fair)
        return joined

    def absorb(self, later: Interval, let_others_run: LetOthersRun = go_on) -> None:
        """`then` in place, for running totals."""
        self.length += later.length
        self.counters.update(later.counters)
        self.gauges = together(self.gauges, later.gauges, Gauge.then)
        for name, distribution in in_steps(later.histograms.items(), let_others_run):
            self.histograms.setdefault(name, Distribution()).add(distribution)
        self.unfinished = later.unfinished
        self.slowest = _slowest(self.slowest + later.slowest)
        self.fair = later.fair
        self.tasks = by_name(self.tasks, later.tasks, TaskUse.then, TaskUse())
        self.examples = {**later.examples, **self.examples}
        self.first_failure = _earliest(self.first_failure, later.first_failure)
        self._absorb_places(later, let_others_run)
        self.shortages = longest(self.shortages + later.shortages)
        self.requests = by_name(self.requests, later.requests, RequestUse.then, RequestUse())

    def _absorb_places(self, later: Interval, let_others_run: LetOthersRun) -> None:
        """In place: a recording has many, of which an interval uses a few."""
        for use in in_steps(self.places.values(), let_others_run):
            use.kept = 0
        for name, use in in_steps(later.places.items(), let_others_run):
            self.places.setdefault(name, PlaceUse()).absorb(use)

    def to_json(self, let_others_run: LetOthersRun = go_on) -> dict[str, Any]:
        """The interval for a line of a result file; empty parts are left out."""
        filled = {name: one for name, one in self.histograms.items() if one.count}
        Distribution.encode(filled.values(), let_others_run)
        places = in_steps(self.places.items(), let_others_run)
        data: dict[str, Any] = {
            "type": "interval",
            "second": self.second,
            "process": self.process,
            "period": self.period,
            "length": self.length,
            "counters": {name: n for name, n in self.counters.items() if n},
            "gauges": {name: _plain(gauge) for name, gauge in self.gauges.items()},
            "histograms": {name: one.to_json() for name, one in filled.items()},
        }
        rest: dict[str, Any] = {
            "unfinished": self.unfinished.to_json() if self.unfinished.count else None,
            "slowest": [_plain(slow) for slow in self.slowest],
            "fair": _plain(self.fair) if self.fair.users else None,
            "tasks": {name: _plain(use) for name, use in self.tasks.items()},
            "examples": self.examples,
            "stage": self.stage,
            "first_failure": self.first_failure,
            "places": {name: use.to_json() for name, use in places},
            "shortages": [shortage.to_json() for shortage in self.shortages],
            "role": self.role,
            "requests": {name: use.to_json() for name, use in self.requests.items()},
        }
        return data | {name: part for name, part in rest.items() if part}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Interval:
        """Read what `to_json` wrote."""
        read = Distribution.from_json
        return cls(
            second=data["second"],
            process=data["process"],
            period=data["period"],
            length=data["length"],
            counters=Counter(data["counters"]),
            gauges={name: Gauge(**gauge) for name, gauge in data["gauges"].items()},
            histograms={name: read(one) for name, one in data["histograms"].items()},
            unfinished=read(data["unfinished"]) if "unfinished" in data else Distribution(),
            slowest=[SlowCheckout(**slow) for slow in data.get("slowest", [])],
            fair=Fair(**data.get("fair", {})),
            tasks={name: TaskUse(**use) for name, use in data.get("tasks", {}).items()},
            examples=data.get("examples", {}),
            stage=data.get("stage", ""),
            first_failure=data.get("first_failure", 0),
            places={n: PlaceUse.from_json(one) for n, one in data.get("places", {}).items()},
            shortages=[Shortage.from_json(one) for one in data.get("shortages", [])],
            role=data.get("role", ""),
            requests={n: RequestUse.from_json(u) for n, u in data.get("requests", {}).items()},
        )


def total(intervals: Iterable[Interval]) -> Interval:
    """All intervals of one process, in order, as one interval (empty if there are none)."""
    result: Interval | None = None
    for interval in intervals:
        if result is None:
            result = Interval(interval.second, interval.process, interval.period, 0)
            result.role = interval.role
        result.absorb(interval)
    return result or Interval(0, length=0)


def _plain(value: Gauge | Fair | TaskUse | SlowCheckout) -> dict[str, Any]:
    """As `asdict` for a value without nested values, in a tenth of its time."""
    return {name: getattr(value, name) for name in value.__slots__}


_Joins = tuple[Join[Gauge], Join[TaskUse], Join[PlaceUse], Join[RequestUse]]
_THEN: _Joins = (Gauge.then, TaskUse.then, PlaceUse.then, RequestUse.then)
_BESIDE: _Joins = (Gauge.beside, TaskUse.beside, PlaceUse.beside, RequestUse.plus)


def _joined(one: Interval, other: Interval, joins: _Joins) -> Interval:
    """The parts that add up the same way in time and over processes."""
    join_gauges, join_uses, join_places, join_requests = joins
    return Interval(
        second=min(one.second, other.second),
        process=one.process if one.process == other.process else "",
        period=one.period,
        counters=one.counters + other.counters,
        gauges=together(one.gauges, other.gauges, join_gauges),
        histograms=by_name(one.histograms, other.histograms, Distribution.__add__, Distribution()),
        slowest=_slowest(one.slowest + other.slowest),
        tasks=by_name(one.tasks, other.tasks, join_uses, TaskUse()),
        examples={**other.examples, **one.examples},
        stage=one.stage if one.stage == other.stage else "",
        first_failure=_earliest(one.first_failure, other.first_failure),
        places=by_name(one.places, other.places, join_places, PlaceUse()),
        shortages=longest(one.shortages + other.shortages),
        role=one.role if one.role == other.role else "",
        requests=by_name(one.requests, other.requests, join_requests, RequestUse()),
    )


def _earliest(one: int, other: int) -> int:
    """The earlier of two moments; 0 stands for none."""
    return min(one or other, other or one)


def _slowest(checkouts: list[SlowCheckout]) -> list[SlowCheckout]:
    return sorted(checkouts, key=lambda slow: -slow.total)[:SLOWEST_KEPT]
