"""What recordings of a running application tell, from which their `summary.json` is written.

Times are seconds, moments are UTC seconds. A value is None if it is unknown.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from loadtest.model.field_types import Value
from loadtest.model.place_use import OUTSIDE_APPLICATION
from loadtest.model.summary import Durations, Finding

# The smallest share of the holders of a place that makes a line stand out.
_STANDING_OUT = 0.2
# The share of the holders of a place from which on they are mostly there.
MOSTLY = 0.5


class TimeSpan(Value):
    """A time from a moment up to another, which is excluded."""

    begin: int
    end: int

    @property
    def seconds(self) -> int:
        """Its length."""
        return self.end - self.begin


class FullTime(TimeSpan):
    """A time in which checkouts waited at a full pool.

    wait_seconds_mean: the time that they waited, divided by the checkouts of the full processes.
    """

    wait_seconds_mean: float


class RecordedCheckouts(Value):
    """The checkouts of a pool; attempts include those that timed out or failed.

    by_source: an idle connection of the pool (`pooled`), or one that was opened for the checkout
    (`new`, `overflow`, `reconnect`).
    """

    attempts: int
    count: int
    timeouts: int
    errors: int
    attempts_per_second: float
    by_source: dict[str, int]
    wait_seconds: Durations
    connect_seconds: Durations


class RecordedConnections(Value):
    """Connections over all processes together; most: at once, upper bounds.

    allowed: the highest limit of all processes together; None without a limit. in_use: the mean.
    engines_most: the most engines of all processes that shared this pool's settings.
    engines_of_process: the most of one process for most of its time.
    """

    allowed: int | None
    in_use: float
    in_use_most: int
    open_most: int
    waiting_most: int
    opened: int
    closed: int
    engines_most: int
    engines_of_process: int = 1


class BusyTime(Value):
    """The time with the most connections in use and checkouts waiting."""

    period: TimeSpan
    attempts_per_second: float
    in_use: float
    in_use_most: int
    waiting_most: int
    wait_seconds_mean: float | None
    timeouts: int


class RecordedPlace(Value):
    """The use of connections by one place in the application's code.

    querying: the share of the holds' time in queries. idle_seconds_mean: the longest time without a
    query of each hold, on average. idle: the share of the whole pool's time in use that this place
    held a connection without a query. held: the share of the connections that it held in
    shortages. nested: checkouts by a user that already held a connection. kept: holds in progress
    at the end; lost: those that are not expected to end, with the age of the oldest, and whether
    they are in progress now (else, at the end of a process).
    ended_seconds: the connections that it held after the user of the
    checkout had ended, added up over all seconds. idle_at: the lines where a holder stood without a
    query, with their shares. routes: the checkouts by route or task.
    """

    place: str
    checkouts: int
    timeouts: int
    errors: int
    wait_seconds_mean: float | None
    wait_seconds_max: float
    holds: int
    hold_seconds_mean: float | None
    hold_seconds_p95: float | None
    hold_seconds_max: float
    querying: float | None
    idle_seconds_mean: float | None
    idle: float
    held: float
    nested: int = 0
    kept: int
    lost: int = 0
    lost_age_seconds: float = 0.0
    lost_now: bool = True
    ended_seconds: int = 0
    idle_at: dict[str, float]
    routes: dict[str, int]

    @property
    def line(self) -> str:
        """The line where its holders mostly stood without a query; empty if there is none."""
        line = self.frequent_line
        return line if self.idle_at.get(line, 0.0) >= MOSTLY else ""

    @property
    def frequent_line(self) -> str:
        """The line where its holders stood most often; empty if none stands out."""
        lines = [line for line in self.idle_at if not line.startswith("(")]
        line = max(lines, key=lambda one: self.idle_at[one], default="")
        return line if self.idle_at.get(line, 0.0) >= _STANDING_OUT else ""

    @property
    def outside(self) -> float:
        """The share of its holders that ran no code of the application."""
        return self.idle_at.get(OUTSIDE_APPLICATION, 0.0)


class HeldBy(Value):
    """The connections that a place held at a moment, and the age of the oldest hold."""

    place: str
    connections: int
    oldest_seconds: float


class RecordedShortage(Value):
    """One of the longest waits: its moment, the place that waited, and the holders then."""

    at: float
    wait_seconds: float
    timed_out: bool
    place: str
    holders: tuple[HeldBy, ...]


class FixValue(Value):
    """The value of returning connections before the longest time without a query of each hold.

    places: those that do so after the fix. line: where holders of a single place stood; empty if
    unknown. now, after: the connections that one process needs for the same waits, simulated with
    the arrivals of the busiest time (per process and second).
    """

    places: tuple[str, ...]
    line: str
    now: int
    after: int
    attempts_per_second: float
    processes: int


class RecordedPoolSummary(Value):
    """One pool of the application, in all of its processes.

    settings: the different ones, under `create_engine`'s names. made_at: the engines that each line
    of code made in this time. processes: the number over the whole time, and the most at once.
    full: when checkouts waited because a process had all of its connections in use. coarse_seconds:
    of all processes, in intervals of several seconds; in them, full seconds are the fewest
    possible. nested: by route or task (empty: outside of both), the checkouts of a user that
    already held a connection.
    """

    name: str
    database: str
    settings: tuple[dict[str, Any], ...]
    made_at: dict[str, int]
    processes: int
    processes_most: int
    begin: int
    seconds: int
    gaps: tuple[TimeSpan, ...]
    checkout: RecordedCheckouts
    hold_seconds: Durations
    connections: RecordedConnections
    full_seconds: int
    full: tuple[FullTime, ...]
    coarse_seconds: int = 0
    busiest: BusyTime
    nested: dict[str, int]
    places: tuple[RecordedPlace, ...]
    shortages: tuple[RecordedShortage, ...]
    fix: FixValue | None
    findings: tuple[Finding, ...]

    @property
    def end(self) -> int:
        """The end of its last second."""
        return self.begin + self.seconds + sum(gap.seconds for gap in self.gaps)


class RecordingSummary(Value):
    """The results of a recording; `to_json` is its `summary.json`.

    going_on: the processes whose recording has no end. problems: damaged or missing files.
    """

    version: Literal[1] = Field(default=1, alias="schema")
    kind: Literal["recording"] = "recording"
    application: str
    environment: dict[str, Any]
    begin: int
    end: int
    going_on: tuple[str, ...]
    problems: tuple[str, ...]
    pools: tuple[RecordedPoolSummary, ...]
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """The summary in JSON's types, under the keys of schema 1."""
        return self.model_dump(mode="json", by_alias=True)
