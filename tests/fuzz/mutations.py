"""Turns a valid input into an invalid one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

NUMBERS = (0, 1, -1, 0.5, 1e308, -1e308, 2**31, 2**63, -(2**63), 2**64, 10**30, 1e-320)
VALUES: tuple[Any, ...] = (*NUMBERS, None, True, False, "", "x", "\0", "é", [], {}, [[]], {"": {}})
WORDS = (
    *(b"", b"\0", b"\n", b"\r\n", b"\t", b" ", b"=", b",", b":", b"+", b"-", b"/s", b"@", b"%"),
    *(b"inf", b"nan", b"NaN", b"Infinity", b"1e999", b"-1", b"0", b"00", b"9" * 5000, b"0x1"),
    *(b"\xff", "é".encode(), "٣".encode(), "\u2028".encode(), b'"', b"'", b"{", b"}", b"[", b"]"),
    *(b"null", b"true", b"[[", b"[[pool]]\n", b'{"a":' * 2000, b"1.", b".5", b"1_000", b"ms", b"h"),
)


def mutated(random: Random, content: bytes, words: Sequence[bytes] = WORDS) -> bytes:
    """The content with one to four changes."""
    for _ in range(random.randint(1, 4)):
        content = random.choice(_CHANGES)(random, content, words)
    return content


def _flipped(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    if not content:
        return content
    at = random.randrange(len(content))
    return content[:at] + bytes([random.randrange(256)]) + content[at + 1 :]


def _cut(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[: random.randint(0, len(content))]


def _holed(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    begin = random.randint(0, len(content))
    return content[:begin] + content[begin + random.randint(1, 20) :]


def _doubled(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    begin = random.randint(0, len(content))
    end = begin + random.randint(1, 200)
    return content[:end] + content[begin:end] + content[end:]


def _with_word(random: Random, content: bytes, words: Sequence[bytes]) -> bytes:
    at = random.randint(0, len(content))
    return content[:at] + random.choice(words) + content[at + random.randint(0, 3) :]


_CHANGES: tuple[Callable[[Random, bytes, Sequence[bytes]], bytes], ...] = (
    *(_flipped, _flipped, _cut, _holed, _doubled),
    *(_with_word, _with_word, _with_word),
)


def another_value(random: Random, record: Any) -> Any:
    """The same JSON with something in it replaced, renamed, left out or added."""
    copy = json.loads(json.dumps(record))
    holder = copy
    while isinstance(holder, dict | list) and holder:
        key = random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        inside = holder[key]
        if not (isinstance(inside, dict | list) and inside) or random.random() < 0.15:
            break
        holder = inside
    else:
        return copy
    _replace(random, holder, key)
    return copy


def _replace(random: Random, holder: Any, key: Any) -> None:
    what = random.random()
    if what < 0.15:
        del holder[key]
    elif what < 0.25 and isinstance(holder, dict):
        holder[random.choice(["", "x", "é", f"{key}_"])] = holder.pop(key)
    elif what < 0.35 and isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder[key] = random.choice(VALUES)
