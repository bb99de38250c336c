"""The types of an experiment's settings."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError
from loadtest.model.objective import parse_objective
from loadtest.model.pool import PoolConfig


def _some(pools: Any) -> Any:
    # Not a minimum length: pydantic counts only valid items, and would report the others twice.
    if not pools:
        raise ValueError("no pool is given; add a [[pool]]")
    if not isinstance(pools, list | tuple):
        raise ValueError("write [[pool]], with two brackets, above each pool")
    return pools


def _listed(applications: Any) -> Any:
    """One `[application]` is a table; several are a list of tables."""
    return [applications] if isinstance(applications, dict) else applications


def _number_of_rounds(value: Any) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if isinstance(value, bool) or not re.fullmatch(r"[1-9]\d*", str(value)):
        raise ValueError(
            f"{value!r} is not a number of rounds; write 5, or auto for as many as needed"
        )
    return int(value)


def _single_value(value: Any) -> Any:
    if not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is neither text nor a number nor true or false")
    return value


def _sound_objective(text: str) -> str:
    try:
        parse_objective(text)
    except UsageError as error:
        problems = (problem.removeprefix("objective ") for problem in error.problems)
        raise ValueError("; ".join(problems)) from None
    return text


OptionValue = Annotated[str | int | float | bool, BeforeValidator(_single_value)]
Rounds = Annotated[int | Literal["auto"], BeforeValidator(_number_of_rounds)]
ObjectiveText = Annotated[str, AfterValidator(_sound_objective)]
Applications = Annotated[tuple[DrivenApplication, ...], BeforeValidator(_listed)]
SomePools = Annotated[tuple[PoolConfig, ...], BeforeValidator(_some)]
