"""Values of pydantic in JSON's types, made so that Ctrl-C stays Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def json_types(dump: Callable[..., Any], *values: Any, **how: Any) -> dict[str, Any]:
    """The result of pydantic's `model_dump` or `dump_python` in JSON's types.

    Raises KeyboardInterrupt on Ctrl-C. pydantic turns every exception in Python code that it calls,
    for example for a path, into an error of its own; in `dump_json` the cause is lost.
    """
    try:
        made: dict[str, Any] = dump(*values, mode="json", **how)
    except ValueError as error:  # pydantic_core's PydanticSerializationError
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    return made
