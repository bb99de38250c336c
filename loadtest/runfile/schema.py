"""The fields of the lines of a run file and of experiment.json, with their types."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_type_hints

import msgspec
from msgspec import Meta, Struct

from loadtest.model.end_reason import End, EndReason, end_of
from loadtest.model.experiment import MARGIN
from loadtest.model.fault import Fault
from loadtest.model.interval import Fair, Gauge, Period, ProcessRole, SlowCheckout
from loadtest.model.load import GREENLETS, Stage
from loadtest.model.pool import PoolSettings
from loadtest.model.task_use import TaskUse
from loadtest.runfile.driven_schema import DrivenPart, DrivenPlan
from loadtest.runfile.place_schema import Count, PlaceLine, RecordedPart, ShortageLine
from loadtest.runfile.request_schema import RequestLine, TimesLine

_REASONS = {reason.value for reason in EndReason}

Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Second = Annotated[int, Meta(ge=0, lt=2**33)]


def _closed(values: type) -> type[Struct]:
    """A struct with the fields of a dataclass and no others: each becomes an argument."""
    bounded = {int: Integer, int | None: Integer | None}
    hints = get_type_hints(values)
    found: list[Any] = [
        (one.name, bounded.get(hints[one.name], hints[one.name]))
        if one.default is MISSING
        else (one.name, bounded.get(hints[one.name], hints[one.name]), one.default)
        for one in fields(values)
    ]
    return msgspec.defstruct(values.__name__, found, frozen=True, forbid_unknown_fields=True)


if TYPE_CHECKING:
    _Gauge: TypeAlias = Gauge
    _Fair: TypeAlias = Fair
    _TaskUse: TypeAlias = TaskUse
    _SlowCheckout: TypeAlias = SlowCheckout
else:
    _Gauge, _Fair, _TaskUse, _SlowCheckout = map(_closed, (Gauge, Fair, TaskUse, SlowCheckout))


class Load(Struct, frozen=True):
    """The load of a run or an experiment; missing fields are None."""

    model: str = GREENLETS
    users: Count | None = None
    spawn_rate: float | None = None
    arrival_rate: float | None = None
    arrivals: str | None = None
    drop_after: float | None = None
    duration: float | None = None
    warmup: float | None = None
    prefill: bool = False
    seed: int | None = None
    processes: Count | None = None
    stage: tuple[Stage, ...] = ()
    stages: tuple[Stage, ...] = ()
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if not all(stage.name for stage in self.stages):
            raise ValueError("a stage has no name")


class Scenario(Struct, frozen=True):
    """The locustfiles of a run, the user classes in them, and their own options.

    other_classes: the user classes that do not use the pool.
    """

    files: tuple[str, ...] = ()
    user_classes: tuple[str, ...] = ()
    other_classes: tuple[str, ...] = ()
    options: dict[str, Any] = {}


class Server(Struct, frozen=True):
    """The server of a run; name: the requested program; lacks: the missing counters."""

    name: str = ""
    version: str = ""
    private: bool = False
    variables: dict[str, str | int] = {}
    lacks: tuple[str, ...] = ()

    @property
    def max_connections(self) -> int:
        """The most connections that it accepts; 0 if unknown."""
        return _whole(self.variables.get("max_connections"))

    def variable(self, name: str) -> str | None:
        """A variable as text; None if unknown."""
        value = self.variables.get(name)
        return None if value is None else str(value)


class Host(Struct, frozen=True):
    """The machine of the load generator; unknown fields are None."""

    cpus: Count | None = None
    memory_bytes: Count | None = None
    platform: str = ""
    open_files: Count | None = None
    local_ports: Count | None = None
    tls_context_seconds: float | None = None


class Header(Struct, frozen=True, tag_field="type", tag="header"):
    """The first line of a run file: what ran, where, and how to repeat it.

    application_pool: the application's own pool, of which `pool` may differ. driver: SQLAlchemy's
    name of the application's driver; None in older files, and without an application (PyMySQL).
    recording: None in load tests. driven: the application behind HTTP that the run drove, if any.
    """

    pool: PoolSettings
    name: str = ""
    round: Count = 1
    started: float = 0.0
    command: str = ""
    application: str | None = None
    application_pool: PoolSettings | None = None
    driver: str | None = None
    load: Load = Load()
    scenario: Scenario = Scenario()
    server: Server = Server()
    host: Host = Host()
    versions: dict[str, str] = {}
    recording: RecordedPart | None = None
    driven: DrivenPart | None = None

    def __post_init__(self) -> None:
        if not self.pool.name:
            raise ValueError("the pool has no name")


class WorkerRecord(Struct, frozen=True):
    """A master's record of one worker in the footer."""

    process: str
    state: str = ""
    intervals: Count = 0
    lost: int | None = None
    latest_seconds: float | None = None
    clock_ahead_seconds: float | None = None
    round_trip_seconds: float | None = None


class RecordedFault(Struct, frozen=True):
    """The outcome of a planned fault: its begin and end (UTC seconds), or the problem."""

    fault: str = ""
    begin: float | None = None
    end: float | None = None
    problem: str | None = None
    killed: Count | None = None


class ProgramShare(Struct, frozen=True):
    """Another program on the machine: its share of all processors during the run."""

    name: str
    share: float = 0.0


class Totals(Struct, frozen=True):
    """The sums over a whole run."""

    counters: dict[str, Count] = {}


class Footer(Struct, frozen=True, tag_field="type", tag="footer"):
    """The last line of a run file: how the run ended, and its totals.

    continued: whether the next part of a recording follows.
    """

    reason: str
    totals: Totals
    message: str = ""
    continued: bool = False
    workers: tuple[WorkerRecord, ...] = ()
    faults: tuple[RecordedFault, ...] = ()
    programs: tuple[ProgramShare, ...] = ()

    def __post_init__(self) -> None:
        _ = self.end

    @property
    def end(self) -> End:
        """Why the run ended; older files have reason and message in one sentence."""
        if self.reason in _REASONS:
            return End(EndReason(self.reason), self.message)
        if found := end_of(self.reason):
            return found
        raise ValueError(f"reason: {self.reason!r} is unknown")


class SearchPart(Struct, frozen=True):
    """The search with one number of processes of an application; the rest is as in SearchPlan."""

    processes: Count
    most: Count
    disturbed: tuple[float, ...] = ()


class SearchPlan(Struct, frozen=True):
    """A search for the smallest pool; disturbed: the seconds of repeated runs.

    by_processes: of the numbers of processes that began, if several are searched.
    """

    most: Count
    disturbed: tuple[float, ...] = ()
    by_processes: tuple[SearchPart, ...] = ()


class Disturbed(Struct, frozen=True):
    """A run that was repeated because something else disturbed it."""

    pool: str
    round: Count
    why: str = ""
    seconds: float = 0.0


class ExperimentPlan(Struct, frozen=True):
    """The content of experiment.json; command: the command line that measured it, if known."""

    name: str = ""
    command: str = ""
    scenario: str = ""
    user_classes: tuple[str, ...] = ()
    session: str = ""
    engine: str = ""
    server: tuple[str, ...] = ()
    baseline: str = ""
    objective: str = ""
    margin: Annotated[float, Meta(gt=0, lt=1)] = MARGIN
    rounds: Count | Literal["auto"] = 1
    seed: int = 1
    load: Load = Load()
    options: dict[str, Any] = {}
    fault: tuple[Fault, ...] = ()
    driven: tuple[DrivenPlan, ...] = ()
    pool: tuple[PoolSettings, ...] = ()
    search: SearchPlan | None = None
    disturbed: tuple[Disturbed, ...] = ()

    def __post_init__(self) -> None:
        if not all(pool.name for pool in self.pool):
            raise ValueError("a pool has no name")


class IntervalLine(Struct, tag_field="type", tag="interval"):
    """An interval in a line, its histograms as text; `Interval` describes the fields."""

    second: Second
    process: str
    period: Period
    length: Count
    counters: dict[str, Count]
    gauges: dict[str, _Gauge]
    histograms: dict[str, TimesLine]
    unfinished: TimesLine | msgspec.UnsetType = msgspec.UNSET
    slowest: list[_SlowCheckout] = []
    fair: _Fair = _Fair()
    tasks: dict[str, _TaskUse] = {}
    examples: dict[str, str] = {}
    stage: str = ""
    first_failure: Count = 0
    places: dict[str, PlaceLine] = {}
    shortages: list[ShortageLine] = []
    role: ProcessRole = ""
    requests: dict[str, RequestLine] = {}

    @property
    def times(self) -> list[TimesLine]:
        """All of its histograms, those of unfinished waits and requests last."""
        left = [self.unfinished, *(one.unfinished for one in self.requests.values())]
        return [*self.histograms.values(), *(one for one in left if isinstance(one, TimesLine))]


def _whole(value: str | int | None) -> int:
    return int(value) if value is not None and str(value).isdecimal() else 0
