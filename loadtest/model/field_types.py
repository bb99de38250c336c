"""The types of values in a configuration or a result: durations, whole numbers, names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from loadtest.model.errors import UsageError
from loadtest.model.suggestion import did_you_mean
from loadtest.model.validation_errors import refusal

M = TypeVar("M", bound=BaseModel)

_SIGNS = "_.+-"
# Many settings begin alike, so less similar keys are other ones.
_MISSPELT = 0.75
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h)?$")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


def parse_duration(value: Any) -> float:
    """A duration in seconds from a number or a text such as `500ms`, `30s`, `2m`.

    Raises ValueError for anything else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise ValueError(str(error)) from None
    match = _DURATION.match(str(value).strip())
    if not match:
        raise ValueError(f"{value!r} is not a duration; write 30s, 500ms or 2m")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


def _number(value: Any) -> Any:
    # Python counts True as 1, but `users = true` does not mean one user.
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    return value


def is_name(text: str) -> bool:
    """Whether a text consists of letters of any script, digits and the signs `_ . + -`."""
    fits = all(
        sign.isalnum() or sign in _SIGNS or unicodedata.category(sign).startswith("M")
        for sign in text
    )
    return fits and text != "" and not unicodedata.category(text[0]).startswith("M")


def _a_name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"{text!r} is not a name; use letters, digits and {' '.join(_SIGNS)}")
    return text


Name = Annotated[str, AfterValidator(_a_name)]
Seconds = Annotated[float, BeforeValidator(parse_duration)]
Whole = Annotated[int, BeforeValidator(_number)]
Positive = Annotated[float, BeforeValidator(_number), Field(gt=0)]
NotNegative = Annotated[float, BeforeValidator(_number), Field(ge=0)]
Interval95 = tuple[float, float]


class Strict(BaseModel):
    """A part of the configuration: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Value(BaseModel):
    """A value: frozen, without unknown keys, and without numbers that JSON lacks."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )


def validated(model: type[M], data: Mapping[str, Any], where: str) -> M:
    """A model from data; UsageError lists every mistake, each with `where` and its key."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UsageError(*(f"{where}: {_sentence(e, model)}" for e in error.errors())) from None


def _sentence(error: Any, model: type[BaseModel]) -> str:
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"])
    if error["type"] == "extra_forbidden":
        owner = _owner(model, error["loc"])
        near = did_you_mean(str(error["loc"][-1]), owner.model_fields, _MISSPELT)
        message = f"unknown key; the keys are {', '.join(owner.model_fields)}{near}"
    else:
        message = refusal(error)
    return f"{place}: {message}" if place else message


def _owner(model: type[BaseModel], place: tuple[str | int, ...]) -> type[BaseModel]:
    """The model that a key belongs to, found by the keys above it."""
    for key in place[:-1]:
        if isinstance(key, str):
            model = next(_models(model.model_fields[key].annotation))
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
