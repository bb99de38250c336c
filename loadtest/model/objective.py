"""Requirements on a pool: a path into a pool of summary.json, a bound and its unit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from loadtest.model.durations import Durations
from loadtest.model.error_kinds import ERROR_KINDS
from loadtest.model.errors import UsageError
from loadtest.model.request_times import RequestTimes
from loadtest.model.suggestion import did_you_mean
from loadtest.model.summary import PoolSummary, StageResult

# The name of a request in quotes, in which a backslash precedes a quote or a backslash.
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_IN_BRACKETS = rf"\[\s*{_QUOTED}\s*\]"
_PART = re.compile(rf"(?:{_IN_BRACKETS}|[^,])+")
_CLAUSE = re.compile(
    rf"^(?P<path>request{_IN_BRACKETS}\.\w+|[^\s<>=]+)\s*(?P<sign><=|>=|<|>)\s*"
    r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>us|µs|ms|s|%|/s)?$"
)
_OF_REQUEST = re.compile(rf"request\[\s*(?P<name>{_QUOTED})\s*\]\.(?P<value>\w+)")
_ESCAPED = re.compile(r"\\(.)")
_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "%": 0.01, "/s": 1.0, None: 1.0}
_HOW = "write checkout.wait_seconds.p95 <= 50ms, errors.rate <= 0.1%"
_HOW_REQUEST = 'write request["GET /orders"].p95 <= 200ms'
_STAGE = re.compile(r"^(?P<stage>stages\.[^.]+\.)(?P<path>.+)$")
# Paths are long, and a part that is missing makes them less similar.
_SIMILAR_PATHS = 0.4
# A sentence lists no more names.
_MOST_NAMED = 10
_GOOD_IN_PLENTY = ("per_second", "checkout.count", "].count")
# Parts of a whole: `5%`, or 0.05.
_SHARES = ("errors.rate", "error_rate", "generator.cpu", "server.cpu")


@dataclass(frozen=True)
class Bound:
    """An upper or lower limit on a value of a pool (seconds, a share, or a number)."""

    path: str
    sign: str
    limit: float
    text: str

    def holds(self, value: float) -> bool:
        """Whether a value is within the bound."""
        return {
            "<=": value <= self.limit,
            "<": value < self.limit,
            ">=": value >= self.limit,
            ">": value > self.limit,
        }[self.sign]

    @property
    def at_most(self) -> bool:
        """Whether it is an upper bound."""
        return self.sign in ("<=", "<")


def parse_objective(text: str) -> tuple[Bound, ...]:
    """The bounds of an objective, separated by commas; none in an empty one.

    Raises UsageError with everything that is wrong with them.
    """
    bounds, problems = [], []
    for part in filter(None, (part.strip() for part in _PART.findall(text))):
        try:
            bounds.append(_bound(part))
        except ValueError as error:
            problems.append(f"objective {part!r}: {error}")
    if problems:
        raise UsageError(*problems)
    return tuple(bounds)


def _bound(text: str) -> Bound:
    match = _CLAUSE.match(text)
    if not match:
        raise ValueError(_HOW_REQUEST if text.startswith("request[") else _HOW)
    path, unit = _canonical(match["path"]), match["unit"]
    check_path(path)
    bound = float(match["number"]) * _UNITS[unit]
    _check_unit(path, unit, bound)
    return Bound(path, match["sign"], bound, text)


def of_request(path: str) -> tuple[str, str] | None:
    """The name of the request and the value that a path means; None for another path."""
    found = _OF_REQUEST.fullmatch(path)
    return (_ESCAPED.sub(r"\1", found["name"][1:-1]), found["value"]) if found else None


def _canonical(path: str) -> str:
    """A path with the name of a request in double quotes, as JSON has it."""
    found = of_request(path)
    return path_of_request(*found) if found else path


def path_of_request(name: str, value: str) -> str:
    """The path of a value of the requests of a name: `request["GET /orders"].p95`."""
    escaped = name.replace("\\", r"\\").replace('"', r"\"")
    return f'request["{escaped}"].{value}'


def is_time(path: str) -> bool:
    """Whether the value at a path is a time in seconds."""
    if found := of_request(path):
        return found[1] in _TIMES
    if of_stage := _STAGE.match(path):
        path = of_stage["path"]
    return "_seconds" in path or path.startswith("checkout.seconds")


def is_share(path: str) -> bool:
    """Whether the value at a path is a part of a whole, from 0 to 1."""
    return path.endswith(_SHARES)


def _check_unit(path: str, unit: str | None, bound: float) -> None:
    """Raise ValueError if the unit does not fit the path or is missing."""
    timed, share = is_time(path), is_share(path)
    if unit in ("us", "µs", "ms", "s") and not timed:
        raise ValueError(f"{path} is not a time")
    if timed and unit in ("%", "/s", None):
        raise ValueError(f"{path} is a time: add its unit, ms or s")
    if unit == "%" and not share:
        raise ValueError(f"{path} is not a share: write it without %")
    if unit == "/s" and not path.endswith("per_second"):
        raise ValueError(f"{path} is not a rate: write it without /s")
    if share and bound > 1:
        raise ValueError(f"{path} is a share, at most 100%: add its unit, %")


def check_path(path: str) -> None:
    """Raise ValueError, with similar paths, if a path names no value of a pool."""
    known: list[str] = []
    if found := of_request(path):
        known = [path_of_request(found[0], value) for value in _paths(RequestTimes)]
    elif of_stage := _STAGE.match(path):
        known = [of_stage["stage"] + one for one in _paths(StageResult)]
    if path in OBJECTIVE_PATHS or path in known:
        return
    there = did_you_mean(path, known or OBJECTIVE_PATHS, _SIMILAR_PATHS)
    raise ValueError(f"{path} is not a value of a pool in summary.json{there}")


def unknown_requests(bounds: Iterable[Bound], names: Iterable[str]) -> list[str]:
    """A sentence for each name of a request in some bounds that is not one of these names."""
    there = list(names)
    more = len(there) - _MOST_NAMED
    listed = ", ".join(map(repr, there[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
    asked = dict.fromkeys(found[0] for bound in bounds if (found := of_request(bound.path)))
    return [
        f"No request has the name {name!r}; there are: {listed or 'none'}"
        f"{did_you_mean(name, there)}"
        for name in asked
        if name not in there
    ]


def more_is_better(path: str) -> bool:
    """Whether a larger value is better, as for throughput; False for times."""
    return path.endswith(_GOOD_IN_PLENTY)


def value_at(pool: PoolSummary, path: str) -> tuple[float | None, bool]:
    """A value of a pool, or None without one, and whether it is only a lower bound."""
    here: Any = pool
    if found := of_request(path):
        here, last = pool.request.get(found[0], RequestTimes()), found[1]
    else:
        *way, last = path.split(".")
        for part in way:
            here = _part(here, part)
    value = _part(here, last)
    number = float(value) if isinstance(value, int | float) else None
    return number, isinstance(here, Durations) and last in here.at_least


def _part(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name, 0)  # a kind of error that did not occur
    if isinstance(value, tuple):
        return next((part for part in value if part.name == name), None)
    return getattr(value, name, None)


def _paths(model: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        for one in get_args(kind) if get_origin(kind) is UnionType else (kind,):
            if isinstance(one, type) and issubclass(one, BaseModel):
                yield from _paths(one, f"{before}{name}.")
            elif one in (int, float):
                yield f"{before}{name}"


_TIMES = tuple(_paths(Durations))
OBJECTIVE_PATHS = (*_paths(PoolSummary), *(f"errors.by_kind.{kind}" for kind in ERROR_KINDS))
"""Every number of a pool that has a fixed name.

Those of a stage are `stages.NAME.…`, those of requests `request["NAME"].…`.
"""
