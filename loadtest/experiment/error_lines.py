"""Describes an error by its last place in the user's own code."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from loadtest.database.failure_kinds import words_of
from loadtest.experiment.deadlines import is_library
from loadtest.runfile.folders import as_typed


def error_line(error: BaseException, scenario: Path, place: str = "") -> str:
    """The place of an error, its type and its message; the scenario without another place."""
    place = place or error_place(error) or as_typed(scenario)
    if isinstance(error, SyntaxError):
        error = SyntaxError(error.msg)  # without the place, in other words
    words = " ".join(words_of(error).split())
    return ": ".join(filter(None, [place, type(error).__name__, words]))


def error_place(error: BaseException) -> str:
    """The file and the line where an error left the user's own code; empty without such a line."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [(one.filename, one.lineno) for one in frames]
    if isinstance(error, SyntaxError) and error.filename:
        return line_in_file(error.filename, error.lineno)
    return last_place(places)


def last_place(places: Iterable[tuple[str, int | None]]) -> str:
    """The last of these places (file, line) in the user's own code; empty if there is none."""
    # The frames of compiled libraries name files that are not there.
    own = [place for place in places if not is_library(place[0]) and Path(place[0]).exists()]
    return line_in_file(*own[-1]) if own else ""


def place_of_def(function: Callable[..., Any]) -> str:
    """The file and the line of a function's `def` in the user's own code; empty elsewhere."""
    try:
        lines, first = inspect.getsourcelines(function)
        file = inspect.getsourcefile(function) or ""
    except (OSError, TypeError):  # not written in a file, or no function
        return ""
    begins = (n for n, line in enumerate(lines) if line.split()[:1] in (["def"], ["async"]))
    return last_place([(file, first + next(begins, 0))])


def line_in_file(file: str, line: int | None) -> str:
    """A place in a file, in words."""
    return f"{as_typed(Path(file))}, line {line}" if line else as_typed(Path(file))
