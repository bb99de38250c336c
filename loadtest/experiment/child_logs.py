"""The logs of the processes that a run starts."""

from __future__ import annotations

from pathlib import Path

_LINES_SHOWN = 12


def log_text(path: Path) -> str:
    """The text of a log without the empty lines around it."""
    return path.read_text(encoding="utf-8", errors="replace").strip()


def end_of_log(path: Path) -> str:
    """The last lines of a log, indented."""
    return last_lines(log_text(path))


def last_lines(text: str) -> str:
    """The last lines of a text, indented."""
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-_LINES_SHOWN:])
