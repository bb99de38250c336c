"""Reads a run file line by line, as far as it is sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from loadtest.model.end_reason import End
from loadtest.model.errors import UsageError
from loadtest.model.interval import SERVER, Interval
from loadtest.runfile.line import FORMAT, Damaged, has_checksum, json_of_line, verify_checksum
from loadtest.runfile.schema import Footer, Header, format_of, from_line


@dataclass(frozen=True)
class RunFacts:
    """What a run file tells beside its intervals; `problems` says what is missing or damaged.

    told: the header as it is written, for reports that show all of it.
    """

    path: Path
    header: Header
    told: dict[str, Any]
    footer: Footer | None
    problems: Sequence[str] = field(default_factory=tuple)

    @property
    def pool_name(self) -> str:
        """The name of the pool configuration that ran."""
        return self.header.pool.name

    @property
    def finished(self) -> bool:
        """Whether the run came to its planned end or was stopped in good order."""
        return self.footer is not None

    @property
    def end(self) -> End | None:
        """Why the run ended; None if its file does not tell."""
        return self.footer.end if self.footer else None

    @property
    def log(self) -> Path | None:
        """What Locust said during the run; None where it said it to somebody else."""
        log = self.path.with_suffix(".log")
        return log if log.exists() else None


@dataclass(frozen=True)
class Run(RunFacts):
    """A run with all of its intervals; server: those in which the database server reports."""

    intervals: Sequence[Interval] = ()
    server: Sequence[Interval] = ()

    def measured(self) -> Iterator[Interval]:
        """The intervals after the warm-up and before the end of the load."""
        return (interval for interval in self.intervals if interval.period == "measured")


class RunFile:
    """A run file: its header at once, its intervals one by one.

    footer, problems: complete after all intervals have been read.
    Raises UsageError if it cannot be opened, is no run file, or is of another format version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.footer: Footer | None = None
        self.problems: list[str] = []
        with _opened(path) as file:
            first, second = _line(file.readline()), file.readline()
        self._checked = has_checksum(first) or has_checksum(second)
        self.header = _header(path, first, self._checked)
        self.told = json_of_line(first)

    def __iter__(self) -> Iterator[Interval]:
        """Every sound interval, the server's included."""
        self.footer, self.problems = None, []
        with _opened(self.path) as file:
            file.readline()
            for number, line in enumerate(file, start=2):
                if interval := self._interval(number, _line(line)):
                    yield interval
        if self.footer is None:
            self.problems.append("interrupted: the file has no footer")

    def _interval(self, number: int, line: bytes) -> Interval | None:
        try:
            if self._checked or has_checksum(line):
                verify_checksum(line)
            found = from_line(line)
        except Damaged as error:
            self.problems.append(f"line {number} is damaged ({error})")
            return None
        if isinstance(found, Interval):
            return found
        if isinstance(found, Footer):
            self.footer = found
        else:
            self.problems.append(f"line {number} is damaged: a second header")
        return None


def read_run(path: Path) -> Run:
    """Read a run file as far as it is sound.

    Raises UsageError if it cannot be opened, is no run file, or is of another format version.
    """
    file = RunFile(path)
    intervals = list(file)
    return Run(
        *(path, file.header, file.told, file.footer, tuple(file.problems)),
        intervals=[interval for interval in intervals if interval.process != SERVER],
        server=[interval for interval in intervals if interval.process == SERVER],
    )


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _line(line: bytes) -> bytes:
    """A line without its end; the last one may have none."""
    return line.removesuffix(b"\n")


def _header(path: Path, line: bytes, checked: bool) -> Header:
    try:
        if checked:
            verify_checksum(line)
        version = format_of(line)
        header = from_line(line) if version == FORMAT else None
    except Damaged as error:
        if b'"type":"header"' in line:
            raise UsageError(f"{path}: its first line, the header, is damaged ({error})") from None
        raise UsageError(f"{path} is not a run of this tool: its first line is no header") from None
    if not isinstance(header, Header):
        raise UsageError(f"{path} has format {version}; this version reads {FORMAT}")
    return header
