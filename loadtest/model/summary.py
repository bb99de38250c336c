"""What reading the runs yields: the values that `summary.json` is written from (schema 1).

Times are seconds; every value is a number, or None where there is none.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Literal

from pydantic import Field, field_serializer

from loadtest.model.fault_effect import FaultEffect
from loadtest.model.field_types import Value
from loadtest.model.pool import PoolSettings

Decision = Literal["better", "worse", "equivalent", "undecided"]
Role = Literal["primary", "secondary"]
Interval95 = tuple[float, float]


class Durations(Value):
    """A distribution of times in seconds; `at_least` names the values that are lower bounds."""

    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None
    at_least: tuple[str, ...] = ()


class ArrivalRates(Value):
    """An open loop: arrivals a second as scheduled, as begun, and how many were dropped in all."""

    offered_per_second: float | None
    begun_per_second: float | None
    dropped: int


class Throughput(Value):
    """Requests that succeeded per second: the mean over the rounds and its 95 % interval."""

    per_second: float | None
    ci95: Interval95 | None


class Anatomy(Value):
    """What the checkouts near a percentile were made of, on average.

    task: the one that most of them were for. waiting, overflow: other checkouts under way, and
    connections beyond pool_size, when they ended. samples: how many were looked at.
    """

    percentile: str
    samples: int
    seconds: float
    wait_seconds: float
    connect_seconds: float
    ping_seconds: float
    task: str | None
    waiting: float
    overflow: float


class CheckoutTimes(Value):
    """What it took to get a connection, in all rounds together."""

    count: int
    timeouts: int
    unfinished: int
    seconds: Durations
    wait_seconds: Durations
    connect_seconds: Durations
    reconnect_seconds: Durations
    ping_seconds: Durations
    reset_seconds: Durations
    anatomy: tuple[Anatomy, ...] = ()


class Connections(Value):
    """Connections: the most at once in any round, and how many were opened and closed in all.

    allowed: what the pools of all processes may have together; None where nothing limits them.
    """

    allowed: int | None = None
    peak: int | None
    overflow_peak: int | None
    waiting_peak: int | None
    opened: int
    closed: int


class ErrorKind(Value):
    """Errors of one kind: the UTC seconds of the first and the last, and one in its own words."""

    first: int | None
    last: int | None
    example: str | None


class Errors(Value):
    """The share of requests that failed, and the errors counted by their kind."""

    rate: float | None
    by_kind: dict[str, int]
    kinds: dict[str, ErrorKind] = Field(default_factory=dict)


class ServerActivity(Value):
    """What the database server said of itself; None where it was not asked or did not tell.

    cpu: share of its machine's processors, if that is this one. running, connected: mean sessions.
    row_lock_waiters: mean sessions that waited for a row lock. aborted_connects, refused_connects:
    in all.
    """

    cpu: float | None
    running: float | None
    connected: float | None
    row_lock_waiters: float | None
    aborted_connects: int | None
    refused_connects: int | None


class Generator(Value):
    """How busy the load generator was: CPU as a share of one core, and its event loop's lag."""

    cpu: float | None
    lag_p99_seconds: float | None


class ObjectiveResult(Value):
    """A requirement, the value found for it and whether that meets it; None: it cannot be told.

    ci95: the interval of the mean over the rounds; None with fewer than two.
    """

    text: str
    value: float | None
    ci95: Interval95 | None = None
    met: bool | None


class Finding(Value):
    """Something a reader should know: a code, how serious it is, a sentence and the numbers.

    error_kind: the kind of error that it is about, if any; the evidence tells it to readers.
    """

    code: str
    severity: Literal["info", "warning", "error"]
    message: str
    evidence: dict[str, Any] = Field(default_factory=dict)
    error_kind: str | None = Field(default=None, exclude=True)


class StageResult(Value):
    """One pool in one stage of the load, by what ended in it; begin: seconds after measuring began.

    users: the mean number. arrivals_per_second: None in a closed loop.
    """

    name: str
    begin: float
    seconds: float
    users: float
    arrivals_per_second: float | None
    throughput_per_second: float | None
    wait_seconds: Durations
    request_seconds: Durations
    timeouts: int
    error_rate: float | None
    connections_peak: int | None
    opened: int


class PoolSummary(Value):
    """One pool configuration in all of its rounds.

    given: what the person called it, the same for all models of users and servers. model: what its
    users were. server_name: the private server's program, where the experiment names one.
    processes: how many at once had such a pool of their own. unreturned: the mean number of
    connections that ended tasks still held at the end of a round. unserved: the share of users who
    never got a connection while others got theirs. Findings tell both to readers.
    """

    name: str
    given: str
    model: str
    server_name: str
    pool: PoolSettings
    processes: int = 1
    rounds: int
    seconds: float
    throughput: Throughput
    checkout: CheckoutTimes
    hold_seconds: Durations
    request_seconds: Durations
    schedule_lag_seconds: Durations
    dropped: int
    arrivals: ArrivalRates | None = None
    connections: Connections
    errors: Errors
    generator: Generator
    server: ServerActivity
    stages: tuple[StageResult, ...] = ()
    faults: tuple[FaultEffect, ...] = ()
    objectives: tuple[ObjectiveResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    valid: bool
    unreturned: float = Field(default=0.0, exclude=True)
    unserved: float = Field(default=0.0, exclude=True)

    @field_serializer("pool")
    def _settings_alone(self, pool: PoolSettings) -> dict[str, Any]:
        return {name: value for name, value in asdict(pool).items() if name != "name"}


class Comparison(Value):
    """A pool against the baseline in one metric: the ratio, its 95 % interval, what follows.

    role: whether it decides, or is one of the others, whose decisions are corrected for their
    number. further_rounds: how many would decide; None if it is decided, or they are very many.
    """

    pool: str
    baseline: str
    metric: str
    role: Role = "primary"
    rounds: int
    ratio: float | None
    ci95: Interval95 | None
    decision: Decision
    further_rounds: int | None = None


class Verdict(Value):
    """The pool to use, if the runs can tell, and why: one sentence a line."""

    recommended: str | None
    text: str


class SizeTried(Value):
    """A pool size that a search tried; times in seconds, throughput per second.

    throughput_ci95: over the rounds; of fewer than three over their seconds. wait_p95_ci95: over
    the rounds; None with fewer than three. met: whether it keeps to the objective.
    """

    pool: str
    size: int
    rounds: int
    throughput: float | None
    throughput_ci95: Interval95 | None
    wait_p95: float | None
    wait_p95_ci95: Interval95 | None
    met: bool | None
    valid: bool


class Search(Value):
    """What a search for the smallest pool came to; outcome: how it ended.

    size: the smallest good one, also where that is not sure. worse_from: the first size above it
    that is worse. pool_timeout: what goes with it. load_seconds: how much load all runs took;
    grid_seconds: how much one run of every size up to `most` would have.
    """

    outcome: Literal["found", "missed", "invalid", "undecided"]
    most: int
    size: int | None
    worse_from: int | None
    pool_timeout: float | None
    load_seconds: float
    grid_seconds: float
    sizes: tuple[SizeTried, ...]


class Summary(Value):
    """All that the runs of an experiment say; `to_json` is `summary.json`."""

    version: Literal[1] = Field(default=1, alias="schema")
    experiment: dict[str, Any]
    environment: dict[str, Any]
    pools: tuple[PoolSummary, ...]
    comparisons: tuple[Comparison, ...]
    verdict: Verdict
    search: Search | None = None

    def to_json(self) -> dict[str, Any]:
        """The summary in JSON's types, under the keys of schema 1; `search` only of a search."""
        left_out = None if self.search else {"search"}
        return self.model_dump(mode="json", by_alias=True, exclude=left_out)

    @property
    def settings(self) -> PoolSettings | None:
        """The settings of the recommended pool; a search says the pool_timeout to go with it."""
        if self.verdict.recommended is None:
            return None
        own = self.pool(self.verdict.recommended).pool
        timeout = self.search.pool_timeout if self.search else None
        return own if timeout is None else replace(own, pool_timeout=timeout)

    def pool(self, name: str) -> PoolSummary:
        """The pool of this name; KeyError if there is none."""
        found = [pool for pool in self.pools if pool.name == name]
        if not found:
            raise KeyError(name)
        return found[0]
