"""The files a run leaves behind: written line by line as it goes, read as far as they are sound."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.errors import LoadtestError, UsageError
from loadtest.interval import SERVER, Interval

FORMAT = 1


class RunWriter:
    """Appends a run to its file: the header at once, an interval a line, the footer last.

    Raises UsageError when the file cannot be made, LoadtestError when it cannot be written.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write the result file {path}: {error.strerror}") from None
        self._append({"type": "header", "format": FORMAT, **header})

    def add(self, interval: Interval) -> None:
        """Append an interval."""
        self._append(interval.to_json())

    def close(self, reason: str, totals: dict[str, Any], **more: Any) -> None:
        """Append the footer that tells a finished run from an interrupted one."""
        self._append({"type": "footer", "reason": reason, "totals": totals, **more})
        self._file.close()

    def _append(self, record: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(record, separators=(",", ":")) + "\n")
            self._file.flush()
        except OSError as error:
            raise LoadtestError(
                f"cannot write the result file {self.path}: {error.strerror}"
            ) from None


def say_why_it_ended(path: Path, reason: str) -> None:
    """Put the reason into the footer of a run that was interrupted; nothing in one that was not."""
    _change_footer(path, lambda f: {"reason": reason} if f.get("reason") == "interrupted" else {})


def add_to_footer(path: Path, **more: Any) -> None:
    """Put more into the footer of a run that has ended; nothing where there is none."""
    _change_footer(path, lambda _: more)


def _change_footer(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    footer = _record(lines[-1]) if lines else None
    if footer is None or footer.get("type") != "footer" or not (changes := change(footer)):
        return
    last = json.dumps({**footer, **changes}, separators=(",", ":")) + "\n"
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    fresh.write_bytes(b"".join(lines[:-1]) + last.encode())
    fresh.replace(path)


@dataclass(frozen=True)
class Run:
    """One run as its file tells it; `problems` says what is missing or damaged.

    server: the intervals in which the database server speaks of itself.
    """

    path: Path
    header: dict[str, Any]
    intervals: Sequence[Interval]
    footer: dict[str, Any] | None
    problems: Sequence[str] = field(default_factory=tuple)
    server: Sequence[Interval] = field(default_factory=tuple)

    @property
    def pool_name(self) -> str:
        """The name of the pool configuration that ran."""
        return str(self.header["pool"]["name"])

    @property
    def finished(self) -> bool:
        """Whether the run came to its planned end or was stopped in good order."""
        return self.footer is not None

    @property
    def log(self) -> Path | None:
        """What Locust said during the run; None where it said it to somebody else."""
        log = self.path.with_suffix(".log")
        return log if log.exists() else None

    def measured(self) -> Iterator[Interval]:
        """The intervals after the warm-up and before the end of the load."""
        return (interval for interval in self.intervals if interval.period == "measured")


def read_run(path: Path) -> Run:
    """Read a run file as far as it is sound.

    Raises UsageError if it cannot be opened, is no run file, or is of another format version.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    header = _record(lines[0]) if lines else None
    if not header or header.get("type") != "header":
        raise UsageError(f"{path} is not a run of this tool: its first line is no header")
    if header.get("format") != FORMAT:
        raise UsageError(f"{path} has format {header.get('format')}; this version reads {FORMAT}")
    return _read_body(path, header, lines[1:])


def _read_body(path: Path, header: dict[str, Any], lines: list[bytes]) -> Run:
    intervals: list[Interval] = []
    problems: list[str] = []
    footer: dict[str, Any] | None = None
    for number, line in enumerate(lines, start=2):
        record = _record(line)
        try:
            if record and record["type"] == "interval":
                intervals.append(Interval.from_json(record))
            elif record and record["type"] == "footer":
                footer = record
            else:
                problems.append(f"line {number} is damaged")
        except Exception as error:
            problems.append(f"line {number} is damaged ({type(error).__name__})")
    if footer is None:
        problems.append("interrupted: the file has no footer")
    server = [interval for interval in intervals if interval.process == SERVER]
    clients = [interval for interval in intervals if interval.process != SERVER]
    return Run(path, header, clients, footer, tuple(problems), server)


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def new_folder(parent: Path, name: str, *, latest: bool = True) -> Path:
    """Make a folder `<name>-<YYYYmmdd-HHMMSS>` for results and let `latest` point at it.

    latest: False where nobody knows yet whether there will be any. Raises UsageError if it cannot
    be made.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    try:
        for suffix in ("", *(f".{n}" for n in range(2, 100))):
            folder = parent / f"{name}-{stamp}{suffix}"
            if not folder.exists():
                break
        (folder / "runs").mkdir(parents=True)
        if latest:
            point_latest_at(folder)
    except OSError as error:
        raise UsageError(f"cannot make a results folder in {parent}: {error.strerror}") from None
    return folder


def point_latest_at(folder: Path) -> None:
    """Let `latest` beside a folder of results point at it."""
    fresh = folder.parent / f".latest-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.name)
    fresh.replace(folder.parent / "latest")


def as_typed(path: Path) -> str:
    """A path as a person would type it here: relative where it is below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def folder_of(path: Path) -> Path:
    """The folder of results that a path belongs to: itself, or the one that a run file is in."""
    if path.is_dir():
        return path
    return path.parent.parent if path.parent.name == "runs" else path.parent


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """The run files among some files and result folders, in order of their names.

    Raises UsageError where a path holds none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("runs/*.jsonl")) or sorted(path.glob("*.jsonl"))
        if not path.is_file() and not inside:
            raise UsageError(f"{path}: no run files there (expected {path}/runs/*.jsonl)")
        found += [path] if path.is_file() else inside
    return found
