"""The logs of the processes that a run starts."""

from __future__ import annotations

from pathlib import Path
from typing import IO

_LINES_SHOWN = 12
KEPT_BYTES = 1_000_000


def log_text(path: Path) -> str:
    """The text of a log without the empty lines around it."""
    return path.read_text(encoding="utf-8", errors="replace").strip()


def end_of_log(path: Path) -> str:
    """The last lines of a log, indented."""
    return _last_lines(log_text(path))


def end_of_output(output: IO[bytes]) -> str:
    """The last lines of an open log, indented."""
    output.seek(0)
    return _last_lines(output.read().decode(errors="replace"))


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
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-_LINES_SHOWN:])
