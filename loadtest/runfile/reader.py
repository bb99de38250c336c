"""Reads a run file as far as it is sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.model.errors import UsageError
from loadtest.model.interval import SERVER, Interval
from loadtest.runfile.schema import FORMAT, Damaged, from_line, has_checksums


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
    first, *lines = lines_of(content) or [b""]
    checked = has_checksums(content)
    header = _header(path, first, checked)
    if header.get("format") != FORMAT:
        raise UsageError(f"{path} has format {header.get('format')}; this version reads {FORMAT}")
    return _read_body(path, header, lines, checked)


def lines_of(content: bytes) -> list[bytes]:
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
