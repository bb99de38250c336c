"""Error messages for values of a wrong type, with the name of the field."""

from __future__ import annotations

import json
import re
from functools import reduce
from typing import Any

import msgspec

_WORDS = {
    "int": "an integer",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
}
_FIELD = re.compile(r"Object (missing required|contains unknown) field `(.*)`")
# What msgspec writes in the place of a key of a mapping.
_ANY_KEY = "[...]"


def sentence(
    error: msgspec.ValidationError, text: bytes, decoder: msgspec.json.Decoder[Any]
) -> str:
    """The field and the expected type: `gauges.open.max: expected an integer, got a string`.

    text: the text that the decoder refused.
    """
    message, _, place = str(error).partition(" - at ")
    field = _with_keys(place.strip("`").removeprefix("$").removeprefix("."), text, decoder)
    if found := _FIELD.fullmatch(message):
        field = f"{field}.{found[2]}".removeprefix(".")
        message = "missing" if found[1].startswith("missing") else "unknown key"
    else:
        message = message[:1].lower() + _in_words(message[1:]).replace("enum value", "value")
    return f"{field}: {message}" if field else message


def _in_words(message: str) -> str:
    said = re.sub("`([^`]*)`", lambda found: _types(found[1]), message)
    return said.replace(">=", "≥").replace("<=", "≤")


def _types(names: str) -> str:
    return " or ".join(_WORDS.get(name, name) for name in names.split(" | "))


def _with_keys(place: str, text: bytes, decoder: msgspec.json.Decoder[Any]) -> str:
    """A place with the key of the mapping that msgspec leaves out."""
    before, any_key, after = place.partition(_ANY_KEY)
    if not any_key:
        return place
    try:
        record = json.loads(text)
        holder: Any = reduce(lambda found, key: found[key], before.split("."), record)
    except (ValueError, LookupError):  # what follows the wrong value is no JSON, or repeats a key
        return place
    for key, value in list(holder.items() if isinstance(holder, dict) else ()):
        holder.clear()
        holder[key] = value
        try:
            decoder.decode(json.dumps(record))
        except msgspec.ValidationError:
            return f"{before}.{key}{after}"
    return place
