"""Reads a run file line by line, as far as it is sound."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, cast

from loadtest.model.end_reason import End
from loadtest.model.errors import UsageError
from loadtest.model.interval import SERVER, Interval
from loadtest.runfile.decoding import decoded_line, format_of, intervals_of
from loadtest.runfile.line import FORMAT, Damaged, as_written, has_checksum, verify_checksum
from loadtest.runfile.schema import Footer, Header, IntervalLine

# Lines whose histograms are decoded at once.
_TOGETHER = 16
_COMPRESSED = ".gz"
_BAD_COMPRESSION = (EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True)
class RunFacts:
    """The content of a run file except its intervals; `problems`: missing or damaged parts.

    told: the header as JSON, for reports that show all of it.
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
        """Whether the run ended as planned or was stopped in good order."""
        return self.footer is not None

    @property
    def end(self) -> End | None:
        """Why the run ended; None if its file has no footer."""
        return self.footer.end if self.footer else None

    @property
    def log(self) -> Path | None:
        """Locust's log of the run; None if there is no such file."""
        return self._beside(".log")

    @property
    def application_log(self) -> Path | None:
        """What the application that the run drove has written; None if there is no such file."""
        return self._beside(".app.log")

    def _beside(self, ending: str) -> Path | None:
        found = self.path.with_suffix(ending)
        return found if found.exists() else None


@dataclass(frozen=True)
class Run(RunFacts):
    """A run with all of its intervals; server: the intervals of the database server."""

    intervals: Sequence[Interval] = ()
    server: Sequence[Interval] = ()

    def measured(self) -> Iterator[Interval]:
        """The intervals after the warm-up and before the end of the load."""
        return (interval for interval in self.intervals if interval.period == "measured")


class FilePart:
    """Consecutive lines of a run file, with their intervals one by one.

    lines, damage, footer, cut_off: complete after all intervals have been read. damage: the
    problems, by the number of the line in this part, from 0. cut_off: whether the last line has no
    end, as while it is being written.
    """

    def __init__(self, path: Path, checked: bool, begin: int, end: int | None = None) -> None:
        self._path, self._checked = path, checked
        self._begin, self._end = begin, end
        self.lines = 0
        self.damage: dict[int, str] = {}
        self.footer: Footer | None = None
        self.cut_off = False

    def __iter__(self) -> Iterator[Interval]:
        """Every sound interval, the server's included."""
        waiting: list[tuple[int, IntervalLine]] = []
        for number, line in enumerate(self._read()):
            self.lines += 1
            if found := self._interval(number, line):
                waiting.append((number, found))
            if len(waiting) == _TOGETHER:
                yield from self._values(waiting)
                waiting = []
        yield from self._values(waiting)

    def _read(self) -> Iterator[bytes]:
        with _opened(self._path) as file:
            place = file.seek(self._begin)
            for line in self._sound(file):
                if self._end is not None and place >= self._end:
                    return
                place += len(line)
                self.cut_off = not line.endswith(b"\n")
                yield line.removesuffix(b"\n")

    def _sound(self, file: BinaryIO) -> Iterator[bytes]:
        """The lines as far as they can be decompressed."""
        try:
            yield from file
        except _BAD_COMPRESSION:
            self.damage[self.lines] = " (the compressed file is cut off or damaged)"

    def _interval(self, number: int, line: bytes) -> IntervalLine | None:
        try:
            if self._checked or has_checksum(line):
                verify_checksum(line)
            found = decoded_line(line)
        except Damaged as error:
            self.damage[number] = f" ({error})"
            return None
        if isinstance(found, IntervalLine):
            return found
        if isinstance(found, Footer):
            self.footer = found
        else:
            self.damage[number] = ": a second header"
        return None

    def _values(self, lines: Sequence[tuple[int, IntervalLine]]) -> Iterator[Interval]:
        found = intervals_of([line for _, line in lines])
        for (number, _), interval in zip(lines, found, strict=True):
            if isinstance(interval, Damaged):
                self.damage[number] = f" ({interval})"
            else:
                yield interval


class RunFile:
    """A run file: its header at once, its intervals part by part.

    Raises UsageError if it cannot be opened, is no run file, or is of another format version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as file:
            self.size = os.fstat(file.fileno()).st_size
            try:
                first = file.readline()
                self._body = file.tell()
                self._checked = has_checksum(first) or has_checksum(file.readline())
            except _BAD_COMPRESSION:
                raise UsageError(f"{path} is cut off or damaged: it has no whole line") from None
        line = first.removesuffix(b"\n")
        self.header, self.told = _header(path, line, self._checked)

    def whole(self) -> FilePart:
        """All lines after the header."""
        return FilePart(self.path, self._checked, self._body)

    def parts(self, size: int) -> list[FilePart]:
        """The same in parts of at least `size` bytes."""
        begins = [self._body]
        with _opened(self.path) as file:
            while begins[-1] + size < self.size:
                file.seek(begins[-1] + size)
                file.readline()
                begins.append(file.tell())
        edges = pairwise([*begins, None])
        return [FilePart(self.path, self._checked, begin or 0, end) for begin, end in edges]

    def facts(self, parts: Sequence[FilePart]) -> RunFacts:
        """The facts of the file, after all of its parts have been read."""
        footer = next((part.footer for part in reversed(parts) if part.footer), None)
        problems, before = [], 2
        for part in parts:
            for number, what in sorted(part.damage.items()):
                problems.append(f"line {before + number} is damaged{what}")
            before += part.lines
        if footer is None:
            problems.append("interrupted: the file has no footer")
        return RunFacts(self.path, self.header, self.told, footer, tuple(problems))


def read_run(path: Path) -> Run:
    """Read a run file as far as it is sound.

    Raises UsageError if it cannot be opened, is no run file, or is of another format version.
    """
    file = RunFile(path)
    intervals = list(part := file.whole())
    facts = file.facts([part])
    return Run(
        *(path, facts.header, facts.told, facts.footer, facts.problems),
        intervals=[interval for interval in intervals if interval.process != SERVER],
        server=[interval for interval in intervals if interval.process == SERVER],
    )


def _opened(path: Path) -> BinaryIO:
    """A file that may be compressed, or become so before it is opened again."""
    compressed = path.with_name(f"{path.name}{_COMPRESSED}")
    if path.suffix != _COMPRESSED and not path.exists() and compressed.exists():
        path = compressed
    try:
        if path.suffix == _COMPRESSED:
            return cast(BinaryIO, gzip.open(path))
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _header(path: Path, line: bytes, checked: bool) -> tuple[Header, dict[str, Any]]:
    try:
        if checked:
            verify_checksum(line)
        version = format_of(line)
        header = decoded_line(line) if version == FORMAT else None
        told = as_written(line)
    except Damaged as error:
        if b'"type":"header"' in line:
            raise UsageError(f"{path}: the first line, the header, is damaged ({error})") from None
        raise UsageError(f"{path} is not a run file: the first line is not a header") from None
    if not isinstance(header, Header):
        raise UsageError(
            f"{path} has format {version}; this version of loadtest reads format {FORMAT}"
        )
    return header, told
