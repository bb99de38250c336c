"""The results of the analysis, from which `summary.json` is written (schema 1).

Times are seconds. A value is None if it is unknown.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Literal

from pydantic import Field, field_serializer

from loadtest.model.driven_summary import DrivenSummary
from loadtest.model.durations import Durations
from loadtest.model.fault_effect import FaultEffect
from loadtest.model.field_types import Interval95, Value
from loadtest.model.json_types import json_types
from loadtest.model.pool import PoolSettings
from loadtest.model.request_errors import Errors, Retries
from loadtest.model.request_times import RequestTimes
from loadtest.model.search_result import Search

Decision = Literal["better", "worse", "equivalent", "undecided"]
Role = Literal["primary", "secondary"]
# The interval of two rounds is so wide that it says nothing.
LEAST_ROUNDS_SHOWN = 3


class ArrivalRates(Value):
    """The arrivals of an open loop: scheduled and begun per second, and dropped in total."""

    offered_per_second: float | None
    begun_per_second: float | None
    dropped: int


class Throughput(Value):
    """Requests that succeeded per second: the mean over the rounds and its 95 % interval."""

    per_second: float | None
    ci95: Interval95 | None


class Anatomy(Value):
    """The mean parts of the checkouts near a percentile.

    task: the most frequent one among them. waiting, overflow: other checkouts in progress, and
    connections beyond pool_size, at their end. samples: the number of these checkouts.
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
    """The times to get a connection, over all rounds."""

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
    """Connections: the most at once in any round, and how many were opened and closed in total.

    allowed: the limit of the pools of all processes together; None without a limit.
    """

    allowed: int | None = None
    peak: int | None
    overflow_peak: int | None
    waiting_peak: int | None
    opened: int
    closed: int


class ServerActivity(Value):
    """The database server's own status; None if unknown.

    cpu: share of the machine's CPUs, if it runs on this machine. running, connected: mean
    connections. row_lock_waiters: mean connections that waited for a row lock. aborted_connects,
    refused_connects: totals.
    """

    cpu: float | None
    running: float | None
    connected: float | None
    row_lock_waiters: float | None
    aborted_connects: int | None
    refused_connects: int | None

    @property
    def known(self) -> bool:
        """Whether the server's status was read."""
        return any(value is not None for value in self.model_dump().values())


class Generator(Value):
    """The load of the generator itself: CPU as a share of one core, and event-loop lag."""

    cpu: float | None
    lag_p99_seconds: float | None


class ObjectiveResult(Value):
    """A requirement, the measured value, and whether it is met; None if undecided.

    ci95: the interval of the mean over the rounds; None with fewer than two. at_least: whether the
    value is a lower bound.
    """

    text: str
    value: float | None
    at_least: bool = False
    ci95: Interval95 | None = None
    met: bool | None


class Finding(Value):
    """Something that you should know about a pool: a code, a severity, a message and its numbers.

    error_kind: the kind of error that it concerns, if any; the evidence has it, too. enlarge: the
    part of the message that advises a larger pool, if any; otherwise: what it advises if a larger
    pool did not help.
    """

    code: str
    severity: Literal["info", "warning", "error"]
    message: str
    evidence: dict[str, Any] = Field(default_factory=dict)
    error_kind: str | None = Field(default=None, exclude=True)
    enlarge: str = Field(default="", exclude=True)
    otherwise: str = Field(default="", exclude=True)


class StageResult(Value):
    """One pool in one stage of the load, from the requests that ended in the stage.

    begin: seconds after measuring began. users: the mean number. arrivals_per_second: None in a
    closed loop.
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

    given: the pool's name in the experiment, the same for all models of users, servers and
    applications. model: the model of its users. server_name: the private server's program, if the
    experiment names one. application_name: that of the application it was driven in, if any.
    processes: the number of concurrent processes, each with its own pool. unreturned: the
    connections that ended tasks still held at the end of a round, on average, or that places of an
    application did not return. abandoned: the requests that Locust's control flow ended. unserved:
    the share of users that never got a connection while others did. Findings report both.
    application: the one that the runs drove, if any. request: by name, the most frequent first;
    empty unless the load drove an application.
    """

    name: str
    given: str
    model: str
    server_name: str
    application_name: str = ""
    pool: PoolSettings
    processes: int = 1
    rounds: int
    seconds: float
    throughput: Throughput
    checkout: CheckoutTimes
    hold_seconds: Durations
    request_seconds: Durations
    request: dict[str, RequestTimes] = Field(default_factory=dict)
    schedule_lag_seconds: Durations
    dropped: int
    abandoned: int = 0
    arrivals: ArrivalRates | None = None
    connections: Connections
    errors: Errors
    retries: Retries = Retries()
    generator: Generator
    server: ServerActivity
    stages: tuple[StageResult, ...] = ()
    faults: tuple[FaultEffect, ...] = ()
    objectives: tuple[ObjectiveResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    application: DrivenSummary | None = None
    valid: bool
    unreturned: float = Field(default=0.0, exclude=True)
    unserved: float = Field(default=0.0, exclude=True)

    @property
    def shown_ci95(self) -> Interval95 | None:
        """The interval of its throughput, if there are enough rounds to show it."""
        return self.throughput.ci95 if self.rounds >= LEAST_ROUNDS_SHOWN else None

    @field_serializer("pool")
    def _settings_alone(self, pool: PoolSettings) -> dict[str, Any]:
        return {name: value for name, value in asdict(pool).items() if name != "name"}


class Comparison(Value):
    """A pool against the baseline in one metric: the ratio, its 95 % interval, the decision.

    role: `primary` decides; decisions of the others are corrected for their number.
    further_rounds: the estimated number for a decision; None if decided, or if very many.
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
    """The recommended pool, if any, and the reasons: one sentence per line.

    unmeasured: the pools that may be better than all others, but whose measurement is not valid.
    """

    recommended: str | None
    text: str
    unmeasured: tuple[str, ...] = ()


class Summary(Value):
    """The results of an experiment; `to_json` is `summary.json`."""

    version: Literal[1] = Field(default=1, alias="schema")
    experiment: dict[str, Any]
    environment: dict[str, Any]
    pools: tuple[PoolSummary, ...]
    comparisons: tuple[Comparison, ...]
    verdict: Verdict
    search: Search | None = None

    def to_json(self) -> dict[str, Any]:
        """The summary in JSON's types, under the keys of schema 1; `search` only for a search."""
        left_out = None if self.search else {"search"}
        return json_types(self.model_dump, by_alias=True, exclude=left_out)

    @property
    def settings(self) -> PoolSettings | None:
        """The settings of the recommended pool; a search replaces SQLAlchemy's pool_timeout.

        The pool_timeout of an application stays.
        """
        if self.verdict.recommended is None:
            return None
        own = self.pool(self.verdict.recommended).pool
        timeout = self.search.pool_timeout if self.search else None
        if timeout is None or self.experiment.get("application"):
            return own
        return replace(own, pool_timeout=timeout)

    def pool(self, name: str) -> PoolSummary:
        """The pool of this name; KeyError if there is none."""
        found = [pool for pool in self.pools if pool.name == name]
        if not found:
            raise KeyError(name)
        return found[0]
