"""The files a run leaves behind: written line by line as it goes, read as far as they are sound."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.errors import CannotGoOn, LoadtestError, UsageError
from loadtest.interval import SERVER, Interval
from loadtest.lines import FORMAT, Damaged, from_line, has_checksums, to_line

# Two tools that begin in the same second want folders of the same name; so many may.
MOST_OF_A_SECOND = 100
# The reason in the footer of a run that came to its planned end.
FINISHED = "finished"


class RunWriter:
    """Appends a run to its file: the header at once, an interval a line, the footer last.

    Raises UsageError when the file cannot be made or somebody else is writing it, LoadtestError
    when it cannot be written or is gone.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: what could not be written is not tried again when the file is closed.
            self._file = path.open("ab", buffering=0)
            self._take()
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"another run is writing the result file {path}") from None
        except OSError as error:
            raise UsageError(f"cannot write the result file {path}: {error.strerror}") from None
        self._append({"type": "header", "format": FORMAT, **header})

    def _take(self) -> None:
        """Empty the file, unless somebody else is writing it."""
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(self._file.fileno()).st_size:
            self._file.truncate(0)

    def add(self, interval: Interval) -> None:
        """Append an interval."""
        self._append(interval.to_json())

    def close(self, reason: str, totals: dict[str, Any], **more: Any) -> None:
        """Append the footer that tells a finished run from an interrupted one."""
        self._append({"type": "footer", "reason": reason, "totals": totals, **more})
        self._file.close()
        if not self.path.exists():
            raise LoadtestError(f"the result file {self.path} is gone")

    def _append(self, record: dict[str, Any]) -> None:
        left = to_line(record)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._file.close()
            raise LoadtestError(
                f"cannot write the result file {self.path}: {error.strerror}"
            ) from None


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
    *before, last = _lines(content) or [b""]
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
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    first, *lines = _lines(content) or [b""]
    checked = has_checksums(content)
    header = _header(path, first, checked)
    if header.get("format") != FORMAT:
        raise UsageError(f"{path} has format {header.get('format')}; this version reads {FORMAT}")
    return _read_body(path, header, lines, checked)


def _lines(content: bytes) -> list[bytes]:
    """The lines of a file without their ends; the last one may have none."""
    lines = content.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _header(path: Path, line: bytes, checked: bool) -> dict[str, Any]:
    try:
        header = from_line(line, checked=checked)
    except Damaged as error:
        header = {}
        if b'"type":"header"' in line:
            raise UsageError(f"{path}: its first line, the header, is damaged ({error})") from None
    if header.get("type") != "header":
        raise UsageError(f"{path} is not a run of this tool: its first line is no header")
    return header


def _read_body(path: Path, header: dict[str, Any], lines: list[bytes], checked: bool) -> Run:
    intervals: list[Interval] = []
    problems: list[str] = []
    footer: dict[str, Any] | None = None
    for number, line in enumerate(lines, start=2):
        try:
            record = from_line(line, checked=checked)
        except Damaged as error:
            problems.append(f"line {number} is damaged ({error})")
            continue
        if record["type"] == "interval":
            intervals.append(Interval.from_json(record))
        elif record["type"] == "footer":
            footer = record
        else:
            problems.append(f"line {number} is damaged: a second header")
    if footer is None:
        problems.append("interrupted: the file has no footer")
    server = [interval for interval in intervals if interval.process == SERVER]
    clients = [interval for interval in intervals if interval.process != SERVER]
    return Run(path, header, clients, footer, tuple(problems), server)


def new_folder(parent: Path, name: str, *, latest: bool = True) -> Path:
    """Make a folder `<name>-<YYYYmmdd-HHMMSS>` for results and let `latest` point at it.

    latest: False where nobody knows yet whether there will be any. Raises UsageError if it cannot
    be made.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    try:
        folder = _first_free(parent / f"{name}-{stamp}")
        (folder / "runs").mkdir()
        if latest:
            point_latest_at(folder)
    except OSError as error:
        raise UsageError(f"cannot make a results folder in {parent}: {error.strerror}") from None
    return folder


def _first_free(folder: Path) -> Path:
    """Make a folder under this name, or with a number behind it where others were quicker."""
    for number in range(1, MOST_OF_A_SECOND):
        free = folder.with_name(f"{folder.name}.{number}") if number > 1 else folder
        with suppress(FileExistsError):
            free.mkdir(parents=True)
            return free
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


@contextmanager
def written_in(folder: Path) -> Iterator[None]:
    """Whatever fails here at writing into a folder is a LoadtestError, or a CannotGoOn."""
    try:
        yield
    except OSError as error:
        if not folder.exists():
            raise CannotGoOn(f"the results folder {folder} is gone") from None
        where = error.filename2 or error.filename or folder
        raise LoadtestError(f"{where}: {error.strerror}") from None


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
