"""The lines of a run file: each a JSON object that ends with a checksum of itself.

A changed byte is found by the checksum. Files from before there was one have none; of them, as of
all others, a line is sound when everything in it is of the kind that it should be.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    with_config,
)

from loadtest.model.distribution import sound
from loadtest.model.fault import Fault
from loadtest.model.interval import Fair, Gauge, Period, SlowCheckout, TaskUse
from loadtest.model.load import Stage

FORMAT = 1
# The reason in the footer of a run that came to its planned end.
FINISHED = "finished"
_MARK = b',"crc":'
_CHECKSUM = re.compile(rb'(?s)(.*),"crc":(\d{1,10})\}')

# Keys of these become arguments, so an unknown one is refused. Unknown keys of models are ignored.
for _values in (Fair, Gauge, SlowCheckout, TaskUse):
    with_config(ConfigDict(strict=True, extra="forbid"))(_values)

Count = Annotated[int, Field(ge=0, lt=2**63)]
Second = Annotated[int, Field(ge=0, lt=2**33)]


class _Kind(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _Pool(_Kind):
    name: str
    pool_size: Count | None = None
    max_overflow: int | None = None


class _Stage(Stage):
    name: str
    duration: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class _Load(_Kind):
    model: str = ""
    users: Count | None = None
    duration: FiniteFloat | None = None
    warmup: FiniteFloat | None = None
    arrival_rate: FiniteFloat | None = None
    drop_after: FiniteFloat | None = None
    stage: list[Stage] | None = None
    stages: list[_Stage] | None = None
    faults: list[Fault] | None = None


class _Scenario(_Kind):
    files: list[str] = []
    user_classes: list[str] = []
    options: dict[str, Any] = {}


class _Server(_Kind):
    version: str = ""
    private: bool = False
    variables: dict[str, str | int] = {}
    lacks: list[str] = []


class _Host(_Kind):
    cpus: Count | None = None
    memory_bytes: Count | None = None
    open_files: Count | None = None
    local_ports: Count | None = None
    tls_context_seconds: FiniteFloat | None = None


class _Header(_Kind):
    pool: _Pool
    round: Count = 1
    started: FiniteFloat = 0.0
    command: str = ""
    load: _Load = _Load()
    scenario: _Scenario = _Scenario()
    server: _Server = _Server()
    host: _Host = _Host()
    versions: dict[str, str] = {}


class _Durations(_Kind):
    count: Count
    sum: Count
    max: Count
    hdr: Annotated[str, AfterValidator(sound)]


class _Interval(_Kind):
    second: Second
    process: str
    period: Period
    length: Count
    counters: dict[str, Count]
    gauges: dict[str, Gauge]
    histograms: dict[str, _Durations]
    unfinished: _Durations = _Durations.model_construct(count=0, sum=0, max=0, hdr="")
    slowest: list[SlowCheckout] = []
    fair: Fair = Fair()
    tasks: dict[str, TaskUse] = {}
    examples: dict[str, str] = {}
    stage: str = ""
    first_failure: Count = 0


class _Worker(_Kind):
    process: str
    state: str = ""
    lost: int | None = None
    latest_seconds: FiniteFloat | None = None
    clock_ahead_seconds: FiniteFloat | None = None
    round_trip_seconds: FiniteFloat | None = None


class _Happened(_Kind):
    begin: FiniteFloat = 0.0
    end: FiniteFloat = 0.0
    problem: str = ""
    killed: Count = 0


class _Footer(_Kind):
    reason: str
    totals: dict[str, Any]
    workers: list[_Worker] = []
    faults: list[_Happened] = []


class _Plan(_Kind):
    """experiment.json: as much of it as anything is made of."""

    name: str = ""
    scenario: str = ""
    baseline: str = ""
    objective: str = ""
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.5
    rounds: Count | Literal["auto"] = 1
    seed: int = 1
    load: _Load = _Load()
    options: dict[str, Any] = {}
    fault: list[Fault] = []
    pool: list[_Pool] = []
    search: dict[str, Any] | None = None


_KINDS: dict[str, type[_Kind]] = {"header": _Header, "interval": _Interval, "footer": _Footer}


class Damaged(ValueError):
    """A line that is not as it was written; its words say what is wrong with it."""


def to_line(record: dict[str, Any]) -> bytes:
    """A record as a line of a file, with its checksum."""
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%s%s%d}\n" % (text[:-1], _MARK, zlib.crc32(text))


def from_line(line: bytes, *, checked: bool) -> dict[str, Any]:
    """The record of a line, given without its line end; raises Damaged.

    checked: whether it must have a checksum.
    """
    text = _without_checksum(line) if checked else line
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        raise Damaged("not JSON") from None
    kind = _KINDS.get(str(record.get("type"))) if isinstance(record, dict) else None
    if kind is None:
        raise Damaged("not a record of a run")
    if kind is _Header and record.get("format", FORMAT) != FORMAT:
        return dict(record)  # the reader says so
    try:
        kind.model_validate_json(text)
    except ValidationError:
        raise Damaged("a value of the wrong kind") from None
    return dict(record)


def from_plan(text: bytes) -> dict[str, Any]:
    """What the text of an experiment.json says; raises Damaged."""
    try:
        _Plan.model_validate_json(text)
        return dict(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise Damaged(type(error).__name__) from None


def has_checksums(content: bytes) -> bool:
    """Whether the lines of a file have checksums, as far as one of them is left."""
    return _MARK in content


def _without_checksum(line: bytes) -> bytes:
    found = _CHECKSUM.fullmatch(line)
    if not found:
        raise Damaged("no checksum")
    text = found[1] + b"}"
    if zlib.crc32(text) != int(found[2]):
        raise Damaged("checksum")
    return text
