"""Reads the footer of a run file alone, and changes it after the run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from loadtest.model.end_reason import End, EndReason
from loadtest.model.interval import SERVER
from loadtest.runfile.decoding import from_line
from loadtest.runfile.line import Damaged, as_written, has_checksum, to_line, verify_checksum
from loadtest.runfile.reader import RunFile
from loadtest.runfile.schema import Footer

# More bytes than any line has.
_LONGEST_LINE = 2**20


def footer_of(path: Path) -> Footer | None:
    """The footer of a run file, from its last line; None if the line is another one or damaged."""
    _, last = _last_line(path)
    return _footer(path, last.removesuffix(b"\n"))


def say_why_it_ended(path: Path, end: End) -> None:
    """Write the reason into the footer of an interrupted run; leave other runs unchanged."""
    _change_footer(path, lambda f: end.to_json() if f.end.reason is EndReason.INTERRUPTED else {})


def add_to_footer(path: Path, **more: Any) -> None:
    """Add fields to the footer of a run file; do nothing without a footer."""
    _change_footer(path, lambda _: more)


def end_for(path: Path, end: End) -> None:
    """Write the reason into the footer of a run that was ended from outside, also a missing one."""
    part, counters = RunFile(path).whole(), Counter[str]()
    for interval in part:
        if interval.process != SERVER:
            counters.update(interval.counters)
    if part.footer:
        add_to_footer(path, **end.to_json())
        return
    totals = {"counters": dict(sorted(counters.items()))}
    begin, last = _last_line(path)
    with path.open("r+b") as file:
        if not last.endswith(b"\n"):
            file.truncate(begin)  # a line that was still being written
        file.seek(0, os.SEEK_END)
        file.write(to_line({"type": "footer", **end.to_json(), "totals": totals}))


def _last_line(path: Path) -> tuple[int, bytes]:
    """The position of the last line of a file, and the line with its line end."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - _LONGEST_LINE))
        end = file.read()
    begin = end.rfind(b"\n", 0, -1) + 1
    return start + begin, end[begin:]


def _change_footer(path: Path, change: Callable[[Footer], dict[str, Any]]) -> None:
    begin, last = _last_line(path)
    line = last.removesuffix(b"\n")
    footer = _footer(path, line)
    if footer is None or not (changes := change(footer)):
        return
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    with path.open("rb") as old, fresh.open("wb") as new:
        _copy(old, new, begin)
        new.write(to_line({**as_written(line), **changes}))
    fresh.replace(path)


def _footer(path: Path, line: bytes) -> Footer | None:
    """The footer that a line of a file is; None if it is another line or damaged."""
    with path.open("rb") as file:
        checked = has_checksum(file.readline())
    try:
        if checked:
            verify_checksum(line)
        found = from_line(line)
    except Damaged:
        return None
    return found if isinstance(found, Footer) else None


def _copy(old: BinaryIO, new: BinaryIO, size: int) -> None:
    while size and (block := old.read(min(size, _LONGEST_LINE))):
        new.write(block)
        size -= len(block)
