"""Groups of options: a command takes one dataclass, and Typer shows its fields as options.

Groups are not frozen and have neither comparison nor `repr`: Python compiles the code of these
methods at every start of a command.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def spread_out(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the fields of each group as separate parameters, for Typer.

    A field has the type, the help and the default of its option.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters = signature.parameters.values()
    groups: dict[str, Any] = {
        one.name: one.annotation for one in parameters if is_dataclass(one.annotation)
    }

    @wraps(command)
    def call(**given: Any) -> None:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**given, **made)

    options = [option for one in parameters for option in _options(one)]
    call.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]
    call.__annotations__ = {}  # the signature has the types; Typer would evaluate texts again
    return call


def _options(one: inspect.Parameter) -> Iterator[inspect.Parameter]:
    group = one.annotation
    if not is_dataclass(group):
        yield one.replace(kind=one.KEYWORD_ONLY)
        return
    types = get_type_hints(group, include_extras=True)
    for field in fields(group):
        yield one.replace(
            name=field.name,
            kind=one.KEYWORD_ONLY,
            default=field.default,
            annotation=types[field.name],
        )
