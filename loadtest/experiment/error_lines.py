"""Describes an error by its last place in the user's own code."""

from __future__ import annotations

import traceback
from pathlib import Path

from loadtest.database.failure_kinds import words_of
from loadtest.experiment.deadlines import is_library
from loadtest.runfile.folders import as_typed


def error_line(error: BaseException, scenario: Path) -> str:
    """The place of an error, its type and its message; the scenario without another place."""
    place = error_place(error) or as_typed(scenario)
    if isinstance(error, SyntaxError):
        error = SyntaxError(error.msg)  # without the place, in other words
    words = " ".join(words_of(error).split())
    return ": ".join(filter(None, [place, type(error).__name__, words]))


def error_place(error: BaseException) -> str:
    """The file and the line where an error left the user's own code; empty without such a line."""
    frames = traceback.extract_tb(error.__traceback__)
    # The frames of compiled libraries name files that are not there.
    own = [one for one in frames if not is_library(one.filename) and Path(one.filename).exists()]
    places = [(one.filename, one.lineno) for one in own]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    return line_in_file(*places[-1]) if places else ""


def line_in_file(file: str, line: int | None) -> str:
    """A place in a file, in words."""
    return f"{as_typed(Path(file))}, line {line}" if line else as_typed(Path(file))
