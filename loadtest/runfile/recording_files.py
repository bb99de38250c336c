"""Finds the files of recordings: parts, some of them compressed, in files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


def _identity(file: RunFile) -> tuple[str, str, float, int]:
    header, recorded = file.header, recorded_part(file.header)
    return header.pool.name, recorded.process, header.started, recorded.part


def _begun(key: tuple[str, str, float, int]) -> tuple[float, int]:
    return key[2], key[3]
