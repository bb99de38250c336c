"""The results of a driven application beside those of its pool.

Times are seconds. A value is None if it is unknown.
"""

from __future__ import annotations

from loadtest.model.durations import Durations
from loadtest.model.field_types import Value
from loadtest.model.recorded_places import RecordedPlace, RecordedShortage


class Concurrency(Value):
    """The requests that one process may serve at once, and how that is known.

    source: the server's option, `Starlette's threads`, or `measured`: the most that were seen.
    """

    requests: int
    source: str


class DrivenProcess(Value):
    """One process of the application in one round; its name is host and process id.

    checkouts: with a connection. in_use: mean connections. peak: the most open ones. cpu: a share
    of one core. loop_lag_p99_seconds: of the event loop that made checkouts.
    """

    process: str
    round: int
    seconds: float
    checkouts: int
    timeouts: int
    wait_seconds: Durations
    in_use: float
    peak: int | None
    cpu: float | None
    loop_lag_p99_seconds: float | None


class RouteUse(Value):
    """The use of connections by one route or task of the application.

    querying: the share of the holds' time in queries. nested: checkouts by requests that held a
    connection already.
    """

    checkouts: int
    hold_seconds_mean: float | None
    querying: float | None
    nested: int


class DrivenSummary(Value):
    """The application that the runs of a pool drove, in the measured time of all rounds.

    engine, place: the name of the recorded engine, and the code that makes it. database: its
    dialect and driver. in_use: the mean connections of all processes. cpu: of a process, as a mean
    share of one core. loop_lag_seconds: of the event loops that made checkouts. shortages: the
    longest waits.
    """

    name: str
    engine: str
    place: str
    database: str
    concurrency: Concurrency
    in_use: float
    cpu: float | None
    loop_lag_seconds: Durations
    processes: tuple[DrivenProcess, ...]
    places: tuple[RecordedPlace, ...]
    routes: dict[str, RouteUse]
    shortages: tuple[RecordedShortage, ...]
