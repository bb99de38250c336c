"""Finds the files of recordings: parts, some of them compressed, in files and folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.model.errors import UsageError
from loadtest.runfile.place_schema import RecordedPart
from loadtest.runfile.reader import RunFile
from loadtest.runfile.schema import Header

_PATTERNS = ("runs/*.jsonl", "runs/*.jsonl.gz", "*.jsonl", "*.jsonl.gz")


@dataclass(frozen=True)
class RecordingFiles:
    """The parts of recordings, in the order in which they began; problems: unreadable files."""

    parts: Sequence[RunFile]
    problems: Sequence[str]

    @property
    def applications(self) -> Sequence[str]:
        """The names of the applications, in order."""
        return sorted({file.header.name for file in self.parts})


def holds_recording(paths: Sequence[Path]) -> bool:
    """Whether the first readable run file among some files and folders belongs to a recording."""
    for path in run_files(paths):
        try:
            return RunFile(path).header.recording is not None
        except UsageError:
            continue
    return False


def recording_files(paths: Sequence[Path]) -> RecordingFiles:
    """The parts of the recordings in some files and folders.

    Raises UsageError if there are none, or if a file is a run of a load test.
    """
    found: dict[tuple[str, str, float, int], RunFile] = {}
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
    return RecordingFiles([found[key] for key in sorted(found, key=_begun)], problems)


def recorded_part(header: Header) -> RecordedPart:
    """The part of a recording that a file is, by its header."""
    if header.recording is None:
        raise ValueError("the file is no part of a recording")
    return header.recording


def run_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files of runs among some files and folders, a compressed one only without its original.

    An original is deleted after it has been compressed.
    """
    for path in paths:
        inside = [one for pattern in _PATTERNS for one in sorted(path.glob(pattern))]
        for one in [path] if path.is_file() else inside:
            if one.suffix != ".gz" or not one.with_suffix("").exists():
                yield one


def _identity(file: RunFile) -> tuple[str, str, float, int]:
    header, recorded = file.header, recorded_part(file.header)
    return header.pool.name, recorded.process, header.started, recorded.part


def _begun(key: tuple[str, str, float, int]) -> tuple[float, int]:
    return key[2], key[3]
