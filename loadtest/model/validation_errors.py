"""Plain words for values that pydantic refuses, as its own words are for programmers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}
# By the beginning of the error's type: `int` of int_type, int_parsing, int_from_float.
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "path": "a path",
    "tuple": "a list",
    "list": "a list",
    "dict": "a table of keys and values",
    "model": "a table of keys and values",
}


def refusal(error: Mapping[str, Any]) -> str:
    """Why a value was refused: `must be at least 0 (got -1)`.

    error: one of `ValidationError.errors()`.
    """
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "missing"
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        expected = f"must be {words} {context[name]:g}"
    elif kind == "literal_error":
        expected = f"must be {context['expected']}"
    else:
        known = _KINDS.get(kind.partition("_")[0])
        expected = f"must be {known}" if known else "is not a valid value"
    return f"{expected} (got {error['input']!r})"
