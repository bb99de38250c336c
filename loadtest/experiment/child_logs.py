"""The logs of the processes that a run starts."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO

from loadtest.database.redaction import without_passwords

_LINES_SHOWN = 12
KEPT_BYTES = 1_000_000


def log_text(path: Path) -> str:
    """The text of a log without the empty lines around it."""
    return path.read_text(encoding="utf-8", errors="replace").strip()


def end_of_log(path: Path) -> str:
    """The last lines of a log, indented."""
    return _last_lines(log_text(path))


def end_of_output(output: IO[bytes], kept: Path | None = None) -> str:
    """The last lines of an open log and its path, for the end of a message.

    kept: its path if it stays; otherwise a copy of a longer log stays, without passwords.
    """
    output.seek(0)
    text = output.read().decode(errors="replace")
    lines = len(text.strip().splitlines())
    if not lines:
        return "its log is empty"
    if kept is None and lines <= _LINES_SHOWN:
        return f"its log:\n{_last_lines(text)}"
    return f"the end of its log ({kept or _copy(text)}):\n{_last_lines(text)}"


def _copy(text: str) -> Path:
    """A new file with a text that only this user can read."""
    number, name = tempfile.mkstemp(prefix="loadtest-app-", suffix=".log")
    with os.fdopen(number, "w", encoding="utf-8") as copy:
        copy.write(without_passwords(text))
    return Path(name)


def shorten_log(path: Path) -> None:
    """Leave out the middle of a log: KEPT_BYTES are kept of its begin and of its end."""
    size = path.stat().st_size
    if size <= 2 * KEPT_BYTES:
        return
    with path.open("r+b") as log:
        log.seek(size - KEPT_BYTES)
        end = log.read()
        log.seek(KEPT_BYTES)
        log.write(f"\n[{size - 2 * KEPT_BYTES:,} bytes are left out]\n".encode() + end)
        log.truncate()


def _last_lines(text: str) -> str:
    lines = text.strip().splitlines()[-_LINES_SHOWN:]
    return without_passwords("\n".join(f"  {line}" for line in lines))
