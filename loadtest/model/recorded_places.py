"""The use of a pool by the places in an application's code, and the longest waits.

Times are seconds, moments are UTC seconds. A value is None if it is unknown.
"""

from __future__ import annotations

from loadtest.model.field_types import Value
from loadtest.model.place_use import OUTSIDE_APPLICATION

# The smallest share of the holders of a place that makes a line stand out.
_STANDING_OUT = 0.2
# The share of the holders of a place from which on they are mostly there.
MOSTLY = 0.5


class RecordedPlace(Value):
    """The use of connections by one place in the application's code.

    querying: the share of the holds' time in queries. idle_seconds_mean: the longest time without a
    query of each hold, on average. idle: the share of the whole pool's time in use that this place
    held a connection without a query. held: the share of the connections that it held in
    shortages. nested: checkouts by a user that already held a connection. kept: holds in progress
    at the end; lost: those that are not expected to end, with the age of the oldest, and whether
    they are in progress now (else, at the end of a process).
    ended_seconds: the connections that it held after the user of the checkout had ended, added up
    over all seconds. responding_seconds: the same while the response of their request was sent,
    after_response_seconds: after that; 0 unless the application was driven. idle_at: the lines
    where a holder stood without a query, with their shares. routes: the checkouts by route or task.
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
    responding_seconds: int = 0
    after_response_seconds: int = 0
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
