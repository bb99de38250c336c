"""What recordings of a running application tell, from which their `summary.json` is written.

Times are seconds, moments are UTC seconds. A value is None if it is unknown.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from loadtest.model.durations import Durations
from loadtest.model.field_types import Value
from loadtest.model.recorded_places import RecordedPlace, RecordedShortage
from loadtest.model.summary import Finding


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
