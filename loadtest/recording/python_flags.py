"""The flags of a Python command that keep it from loading the recorder."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

_INTERPRETER = re.compile(r"(python|pypy)[\d.]*")
# -I and -E ignore PYTHONPATH, -S does not load `sitecustomize`.
_IGNORING = "IES"
_WITH_ARGUMENT = "cmWX"


def ignoring_flags(command: Sequence[str]) -> str:
    """The flags, as `-I -S`, of a command that is Python or a script of Python; empty if none."""
    words = list(command)
    if not _INTERPRETER.fullmatch(Path(words[0]).name):
        words = _first_line(words[0])
    interpreters = [n for n, word in enumerate(words) if _INTERPRETER.fullmatch(Path(word).name)]
    options = words[interpreters[0] + 1 :] if interpreters else []
    letters = dict.fromkeys(letter for letter in _letters(options) if letter in _IGNORING)
    return " ".join(f"-{letter}" for letter in letters)


def _first_line(program: str) -> list[str]:
    """The interpreter and its options in the first line of a script; empty if there is none."""
    try:
        with open(shutil.which(program) or program, "rb") as file:
            line = file.readline(500)
        return shlex.split(line[2:].decode(errors="replace")) if line.startswith(b"#!") else []
    except (OSError, ValueError):  # it will not start either, or a quotation has no end
        return []


def _letters(options: Sequence[str]) -> str:
    """The one-letter options before the script or module."""
    letters = ""
    rest = iter(options)
    for word in rest:
        if not word.startswith("-") or word in ("-", "--"):
            break
        if word.startswith("--"):
            continue
        for place, letter in enumerate(word[1:], 1):
            letters += letter
            if letter in _WITH_ARGUMENT:
                if letter in "cm":
                    return letters
                if place == len(word) - 1:
                    next(rest, None)
                break
    return letters
