"""The lines of a run file: JSON objects, each with a checksum at its end.

The checksum finds a changed byte. Older files have no checksums.
"""

from __future__ import annotations

import json
import re
import zlib
from itertools import islice
from typing import Any

from loadtest.model.steps import LetOthersRun, go_on, in_steps

FORMAT = 1
_MEMBERS_AT_ONCE = 25
_json = json.JSONEncoder(separators=(",", ":")).encode
_MARK = b',"crc":'
_CHECKSUM = re.compile(rb"(\d{1,10})\}")


class Damaged(ValueError):
    """A line that was changed after writing; the message names the damage."""


def to_line(record: dict[str, Any], let_others_run: LetOthersRun = go_on) -> bytes:
    """A record as a line of a file, with its checksum."""
    if any(map(_is_large, record.values())):
        parts = (f"{_json(name)}:{_steps(one, let_others_run)}" for name, one in record.items())
        text = f"{{{','.join(parts)}}}".encode()
    else:
        text = _json(record).encode()
    return b"%s%s%d}\n" % (text[:-1], _MARK, zlib.crc32(text))


def _is_large(value: Any) -> bool:
    return isinstance(value, dict) and len(value) > _MEMBERS_AT_ONCE


def _steps(value: Any, let_others_run: LetOthersRun) -> str:
    """A value in JSON; a large one is written in steps."""
    if not _is_large(value):
        return _json(value)
    members = iter(value.items())
    steps = iter(lambda: dict(islice(members, _MEMBERS_AT_ONCE)), {})
    return f"{{{','.join(_json(step)[1:-1] for step in in_steps(steps, let_others_run))}}}"


def has_checksum(line: bytes) -> bool:
    """Whether a line has a checksum, right or wrong."""
    return _MARK in line


def verify_checksum(line: bytes) -> None:
    """Raise Damaged unless a line (without line end) has the checksum of its content."""
    text, _, end = line.rpartition(_MARK)
    found = _CHECKSUM.fullmatch(end)
    if not text or not found:
        raise Damaged("no checksum")
    if zlib.crc32(b"}", zlib.crc32(text)) != int(found[1]):
        raise Damaged("wrong checksum")


def as_written(line: bytes) -> dict[str, Any]:
    """The content of a sound line, in JSON's types and without the checksum; raises Damaged."""
    try:
        record: dict[str, Any] = json.loads(line)
    except UnicodeDecodeError:
        raise Damaged("not UTF-8") from None
    record.pop("crc", None)
    return record
