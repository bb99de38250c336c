"""Follows the parts that the processes of an application write."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from loadtest.model.errors import UsageError
from loadtest.runfile.decoding import decoded_line
from loadtest.runfile.folders import run_files
from loadtest.runfile.line import Damaged, as_written, verify_checksum
from loadtest.runfile.schema import Header

_BAD_COMPRESSION = (EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """A whole line after the header of a part; record: its content, None if it is damaged."""

    text: bytes
    record: dict[str, Any] | None

    @classmethod
    def of(cls, text: bytes) -> RecordedLine:
        """A line with its line end."""
        line = text.removesuffix(b"\n")
        try:
            verify_checksum(line)
            return cls(text, as_written(line))
        except Damaged:
            return cls(text, None)


class FollowedPart:
    """A part of a recording, as far as it is written; header: None while it is incomplete.

    path: without the ending of its compressed form.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: Header | None = None
        self._read = 0

    @property
    def stem(self) -> str:
        """What the parts of one process and pool have in common in their names."""
        return self.path.name.rpartition("-")[0]

    def new(self) -> Iterator[RecordedLine]:
        """The lines since the last call that are whole.

        Raises UsageError if the file cannot be read, or if its header is damaged.
        """
        try:
            with _opened(self.path) as file:
                file.seek(self._read)
                yield from self._taken(file)
        except _BAD_COMPRESSION:
            return
        except OSError as error:
            raise UsageError(f"cannot read {self.path}: {error.strerror}") from None

    def _taken(self, file: BinaryIO) -> Iterator[RecordedLine]:
        for text in file:
            if not text.endswith(b"\n"):
                return  # it is still being written, or its process was killed
            self._read += len(text)
            if self.header is None:
                self.header = _header(self.path, text)
            else:
                yield RecordedLine.of(text)


class FollowedRecording:
    """The parts in a folder, which may appear and grow; parts: those found, in order of names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.parts: dict[str, FollowedPart] = {}

    def new(self) -> Iterator[tuple[FollowedPart, RecordedLine]]:
        """The lines since the last call, part by part; raises UsageError."""
        for path in sorted(run_files([self._folder])):
            plain = path.with_suffix("") if path.suffix == ".gz" else path
            part = self.parts.setdefault(plain.name, FollowedPart(plain))
            for line in part.new():
                yield part, line


def process_id(process: str) -> int:
    """The id of a process from its name in intervals, like `web1-812`."""
    return int(process.rpartition("-")[2])


def uses_connections(record: Mapping[str, Any]) -> bool:
    """Whether a process took or held a connection in an interval of its recording."""
    held = record["gauges"].get("in_use", {}).get("max")
    return bool(record["counters"].get("checkouts") or held)


def idle_parents(forked: Mapping[int, float], used: Mapping[int, float]) -> set[int]:
    """The processes that have used no connection since they forked, like a server's master.

    forked: when each process was known to fork. used: the second of its last use (both UTC).
    """
    return {pid for pid, when in forked.items() if used.get(pid, 0.0) <= when}


def _opened(path: Path) -> BinaryIO:
    compressed = path.with_name(f"{path.name}.gz")
    if path.exists() or not compressed.exists():
        return path.open("rb")
    return cast(BinaryIO, gzip.open(compressed))


def _header(path: Path, text: bytes) -> Header:
    line = text.removesuffix(b"\n")
    try:
        verify_checksum(line)
        header = decoded_line(line)
    except Damaged as error:
        raise UsageError(f"{path}: the first line, the header, is damaged ({error})") from None
    if not isinstance(header, Header) or header.recording is None:
        raise UsageError(f"{path} is not a part of a recording")
    return header
