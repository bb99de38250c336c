"""Turns lines into typed values, strictly.

A value of a wrong type is refused with the place of its field. Unknown keys are ignored: a later
version may have written them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct
from pydantic import BaseModel

from loadtest.model.distribution import Distribution
from loadtest.model.errors import UsageError
from loadtest.model.field_types import validated
from loadtest.model.histogram import Counts, decoded
from loadtest.model.interval import Fair, Gauge, Interval, SlowCheckout
from loadtest.model.place_use import Holders, PlaceUse, Shortage
from loadtest.model.task_use import TaskUse
from loadtest.runfile.line import Damaged
from loadtest.runfile.place_schema import PlaceLine, ShortageLine
from loadtest.runfile.request_schema import TimesLine
from loadtest.runfile.schema import ExperimentPlan, Footer, Header, IntervalLine
from loadtest.runfile.type_errors import sentence

_T = TypeVar("_T")


def format_of(line: bytes) -> object:
    """The format version of a header, without a check of the rest; raises Damaged."""
    return _decoded(_FORMAT, line).format


def decoded_line(line: bytes) -> Header | IntervalLine | Footer:
    """The values of a line, with histograms as text; raises Damaged."""
    found: Header | IntervalLine | Footer = _decoded(_RECORD, line)
    return found


def from_line(line: bytes) -> Header | Interval | Footer:
    """The values of a line; raises Damaged."""
    found = decoded_line(line)
    if not isinstance(found, IntervalLine):
        return found
    (interval,) = intervals_of([found])
    if isinstance(interval, Damaged):
        raise interval
    return interval


def from_plan(text: bytes) -> dict[str, Any]:
    """The content of an experiment.json, in JSON's types; raises Damaged."""
    _decoded(_PLAN, text)
    return dict(json.loads(text))


def plan_of(experiment: Mapping[str, Any]) -> ExperimentPlan:
    """The typed values of an experiment.json."""
    return msgspec.convert(experiment, ExperimentPlan, dec_hook=_model)


class _Format(Struct):
    type: Literal["header"]
    format: Any = None


def _model(kind: type[BaseModel], value: Any) -> BaseModel:
    """A value of a class that pydantic checks; it must be written as it is read."""
    try:
        found = validated(kind, value, kind.__name__.lower())
    except UsageError as error:
        raise ValueError("; ".join(error.problems)) from None
    if found.model_dump(exclude_unset=True) != value:
        raise ValueError("a value of the wrong type")
    return found


_FORMAT = msgspec.json.Decoder(_Format)
_RECORD: msgspec.json.Decoder[Header | IntervalLine | Footer] = msgspec.json.Decoder(
    Header | IntervalLine | Footer, dec_hook=_model
)
_PLAN = msgspec.json.Decoder(ExperimentPlan, dec_hook=_model)


def _decoded(decoder: msgspec.json.Decoder[_T], text: bytes) -> _T:
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise Damaged(sentence(error, text, decoder)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Damaged("not JSON") from None


def intervals_of(lines: Sequence[IntervalLine]) -> list[Interval | Damaged]:
    """The intervals of some lines, or what is wrong with one; many lines take less time each."""
    try:
        counts = iter(decoded([times.hdr for line in lines for times in line.times]))
    except ValueError:
        if len(lines) == 1:
            return [Damaged(_damaged_histogram(lines[0]))]
        return [found for line in lines for found in intervals_of([line])]
    return [_interval(line, counts) for line in lines]


def _interval(line: IntervalLine, counts: Iterator[Counts]) -> Interval:
    return Interval(
        second=line.second,
        process=line.process,
        period=line.period,
        length=line.length,
        counters=Counter(line.counters),
        gauges={name: Gauge(*_values(one)) for name, one in line.gauges.items()},
        histograms={name: _times(one, next(counts)) for name, one in line.histograms.items()},
        unfinished=_going_on(line.unfinished, counts),
        slowest=[SlowCheckout(*_values(one)) for one in line.slowest],
        fair=Fair(*_values(line.fair)),
        tasks={name: TaskUse(*_values(one)) for name, one in line.tasks.items()},
        examples=line.examples,
        stage=line.stage,
        first_failure=line.first_failure,
        places={name: _place(one) for name, one in line.places.items()},
        shortages=[_shortage(one) for one in line.shortages],
        role=line.role,
        requests={
            name: one.value(_going_on(one.unfinished, counts))
            for name, one in line.requests.items()
        },
    )


def _going_on(line: TimesLine | msgspec.UnsetType, counts: Iterator[Counts]) -> Distribution:
    return _times(line, next(counts)) if isinstance(line, TimesLine) else Distribution()


def _place(line: PlaceLine) -> PlaceUse:
    found = PlaceUse(*_values(line))
    found.routes, found.idle_at = Counter(line.routes), Counter(line.idle_at)
    return found


def _shortage(line: ShortageLine) -> Shortage:
    holders = tuple(Holders(*one) for one in line.holders)
    return Shortage(line.at, line.wait, line.timed_out, line.place, holders)


def _times(line: TimesLine, counts: Counts) -> Distribution:
    return Distribution(line.count, line.sum, line.max, counts)


def _damaged_histogram(line: IntervalLine) -> str:
    """Which histogram of a line is damaged, and how."""
    places = [f"histograms.{name}" for name in line.histograms]
    left = {"unfinished": line.unfinished}
    left |= {f"requests.{name}.unfinished": one.unfinished for name, one in line.requests.items()}
    places += [place for place, one in left.items() if isinstance(one, TimesLine)]
    for place, one in zip(places, line.times, strict=True):
        try:
            decoded([one.hdr])
        except ValueError as error:
            return f"{place}.hdr: {error}"
    raise AssertionError("one of them is damaged")


def _values(line: Any) -> tuple[Any, ...]:
    return msgspec.structs.astuple(line)
