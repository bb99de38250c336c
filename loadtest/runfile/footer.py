"""Changes the footer of a run file from outside of the run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loadtest.runfile.reader import lines_of, read_run
from loadtest.runfile.schema import Damaged, from_line, has_checksums, to_line


def say_why_it_ended(path: Path, reason: str) -> None:
    """Put the reason into the footer of a run that was interrupted; nothing in one that was not."""
    _change_footer(path, lambda f: {"reason": reason} if f.get("reason") == "interrupted" else {})


def add_to_footer(path: Path, **more: Any) -> None:
    """Put more into the footer of a run that has ended; nothing where there is none."""
    _change_footer(path, lambda _: more)


def end_for(path: Path, reason: str) -> None:
    """Put the reason into the footer of a run that was ended from outside, also if it has none."""
    run = read_run(path)
    if run.finished:
        add_to_footer(path, reason=reason)
        return
    counters = sum((interval.counters for interval in run.intervals), Counter[str]())
    totals = {"counters": dict(sorted(counters.items()))}
    with path.open("r+b") as file:
        file.seek(file.read().rfind(b"\n") + 1)  # over a line that was still being written
        file.truncate()
        file.write(to_line({"type": "footer", "reason": reason, "totals": totals}))


def _change_footer(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    content = path.read_bytes()
    *before, last = lines_of(content) or [b""]
    try:
        footer = from_line(last, checked=has_checksums(content))
    except Damaged:
        return
    if footer.get("type") != "footer" or not (changes := change(footer)):
        return
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    kept = b"".join(line + b"\n" for line in before)
    fresh.write_bytes(kept + to_line({**footer, **changes}))
    fresh.replace(path)
