"""Checks a start form before a run begins; Locust would answer HTTP 500, or run."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from loadtest.load.locust_internals import seconds_in
from loadtest.load.options.pool_options import POOL_SETTINGS, pool_config
from loadtest.load.options.run_options import Added, actions, stages_of, warmup_seconds
from loadtest.model.errors import UsageError

_NUMBERS: dict[type, str] = {int: "whole number", float: "number"}


def check_form(options: Namespace, form: Mapping[str, str], added: Added) -> Namespace:
    """The options with the values of a start form.

    Raises UsageError with all mistakes, each with the name of its field.
    """
    wanted, wrong = dict(vars(options)), []
    for action in actions([*added.own, *added.scenarios]):
        name = action.dest
        if name not in form:
            continue
        try:
            wanted[name] = _typed(wanted[name], form[name], action)
        except ValueError as error:
            wrong.append(f"{name}: {error}")
    wanted["run_time"] = _seconds(form.get("run_time", ""))
    result = Namespace(**wanted)
    wrong += _contradictions(result)
    if wrong:
        raise UsageError(*wrong)
    return result


def _typed(known: Any, text: str, action: Any) -> Any:
    """A field's text, converted to the type of the known value; raises ValueError."""
    if isinstance(known, bool):
        return text == "true"
    choices = [str(choice) for choice in action.choices or ()]
    if choices and text not in choices:
        raise ValueError(f"{text!r} is unknown; use {', '.join(filter(None, choices))}")
    if type(known) not in _NUMBERS:
        return text
    try:
        number = type(known)(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a {_NUMBERS[type(known)]}: {action.help}")
    return number


def _contradictions(options: Namespace) -> Iterator[str]:
    """The mistakes that values make together, or that their types allow."""
    for check in (pool_config, warmup_seconds, stages_of):
        try:
            check(options)
        except UsageError as error:
            for problem in error.problems:
                said = problem.removeprefix(f"{POOL_SETTINGS}: ")
                yield f"pool_{said}" if said.startswith("name: ") else said


def _seconds(run_time: str) -> int | None:
    """A run time as Locust reads it; None if there is none, or none that it can read."""
    try:
        return seconds_in(run_time) if run_time else None
    except ValueError:
        return None  # Locust answers this one itself
