"""Finds the files of recordings: parts, some of them compressed, in files and folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from loadtest.model.errors import UsageError
from loadtest.runfile.folders import run_files
from loadtest.runfile.place_schema import RecordedPart
from loadtest.runfile.reader import RunFile
from loadtest.runfile.schema import Header


@dataclass(frozen=True)
class RecordingFiles:
    """The parts of recordings, in the order in which they began; problems: unreadable files."""

    parts: Sequence[RunFile]
    problems: Sequence[str]

    @property
    def applications(self) -> Sequence[str]:
        """The names of the applications, in order."""
        return sorted({file.header.name for file in self.parts})


def recording_files(paths: Sequence[Path]) -> RecordingFiles:
    """The parts of the recordings in some files and folders.

    Raises UsageError if there are none, or if a file is a run of a load test.
    """
    found: dict[tuple[str, str, float, float, int], RunFile] = {}
    problems: list[str] = []
    for path in run_files(paths):
        try:
            file = RunFile(path)
        except UsageError as error:
            problems += error.problems
            continue
        if file.header.recording is None:
            raise UsageError(f"{path} is a run of a load test; give recordings only")
        found.setdefault(_identity(file), file)  # copies count once
    if not found:
        named = ", ".join(map(str, paths))
        raise UsageError(*problems or [f"{named}: no recording (expected *.jsonl or *.jsonl.gz)"])
    parts = _in_order(found.values())
    return RecordingFiles(parts, [*problems, *_missing(parts)])


def recorded_part(header: Header) -> RecordedPart:
    """The part of a recording that a file is, by its header."""
    if header.recording is None:
        raise ValueError("the file is no part of a recording")
    return header.recording


def _identity(file: RunFile) -> tuple[str, str, float, float, int]:
    header, recorded = file.header, recorded_part(file.header)
    process = recorded.process, recorded.began
    return header.pool.name, *process, header.started, recorded.part


def _in_order(files: Iterable[RunFile]) -> list[RunFile]:
    """By the begin of the first part of each process, whose clock may be set back later."""
    by_number = sorted(files, key=lambda file: (_number(file), file.header.started))
    begun: dict[str, float] = {}
    for file in by_number:
        begun.setdefault(_stem(file), file.header.started)
    return sorted(by_number, key=lambda file: (begun[_stem(file)], _stem(file), _number(file)))


def _missing(parts: Sequence[RunFile]) -> Iterator[str]:
    """Parts of which earlier and later ones are there."""
    for one, after in pairwise(parts):
        first, last = _number(one) + 1, _number(after) - 1
        if _stem(one) == _stem(after) and first <= last:
            number = f"part {first} is" if first == last else f"parts {first} to {last} are"
            yield f"{_stem(one)}: {number} missing"


def _stem(file: RunFile) -> str:
    """The name of a file without the number of the part."""
    return file.path.name.rpartition("-")[0]


def _number(file: RunFile) -> int:
    return recorded_part(file.header).part
