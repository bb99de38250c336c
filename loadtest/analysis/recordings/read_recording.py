"""Reads the files of a recording, of all processes and hosts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.analysis.columns_builder import ColumnsBuilder
from loadtest.analysis.recordings.blocks import Blocks, blocks_beside
from loadtest.analysis.recordings.kept_holds import KeptHolds
from loadtest.analysis.recordings.recorded_pool import RecordedPool, RecordedProcess
from loadtest.analysis.recordings.second_rows import spread
from loadtest.analysis.recordings.time_window import ALL_TIME, Window
from loadtest.analysis.units import listed
from loadtest.model.errors import UsageError
from loadtest.model.interval import Interval, total
from loadtest.runfile.reader import FilePart, RunFile
from loadtest.runfile.recording_files import RecordingFiles, recorded_part, recording_files


@dataclass(frozen=True, eq=False)
class Recording:
    """The pools of a running application, the one with the most checkouts first.

    application: its name. window: the time that was read. problems: what is missing or damaged.
    going_on: the processes whose last part has no footer: they still write it, or were killed.
    """

    application: str
    pools: Sequence[RecordedPool]
    window: Window
    problems: Sequence[str]
    going_on: Sequence[str]

    def pool(self, name: str = "") -> RecordedPool:
        """The pool of a name, or the one with the most checkouts; raises UsageError."""
        found = [pool for pool in self.pools if name in ("", pool.name)]
        if not found:
            names = listed([pool.name for pool in self.pools])
            raise UsageError(f"the recording has no pool {name!r}; it has {names}")
        return found[0]


def read_recording(
    paths: Sequence[Path], window: Window = ALL_TIME, application: str = ""
) -> Recording:
    """Read recordings in files and folders as far as they are sound.

    application: its name; needed if there are several. Raises UsageError if there is no recording,
    if applications are mixed, or if no checkout lies in the window.
    """
    found = recording_files(paths)
    parts = _of_one_application(found, application)
    reader = _Reader(window, [*found.problems])
    pools = [reader.pool(name, of) for name, of in _grouped_by_pool(parts).items()]
    used = [pool for pool in pools if pool.checkout_attempts]
    if not used:
        raise UsageError(*_without_checkouts(pools, window), *reader.problems)
    used.sort(key=lambda pool: -pool.checkout_attempts)
    name = parts[0].header.name
    return Recording(name, used, window, reader.problems, sorted(reader.going_on))


def _of_one_application(found: RecordingFiles, wanted: str) -> Sequence[RunFile]:
    names = found.applications
    if not wanted and len(names) > 1:
        raise UsageError(
            f"these are recordings of different applications ({listed(names)}): choose one with "
            "--application, or give its files only"
        )
    if wanted and wanted not in names:
        raise UsageError(f"there is no recording of {wanted!r}; there is one of {listed(names)}")
    return [file for file in found.parts if wanted in ("", file.header.name)]


def _grouped_by_pool(parts: Sequence[RunFile]) -> Mapping[str, list[RunFile]]:
    groups: dict[str, list[RunFile]] = defaultdict(list)
    for file in parts:
        groups[file.header.pool.name].append(file)
    return groups


def _without_checkouts(pools: Sequence[RecordedPool], window: Window) -> Iterator[str]:
    names = listed([pool.name for pool in pools])
    if window == ALL_TIME:
        yield (
            f"the recording of {names} has no checkout: the application made an engine, but took "
            "no connection from its pool"
        )
    else:
        yield f"the recording of {names} has no checkout in the requested time"


class _Reader:
    """Reads the parts in a window of time; problems, going_on: collected on the way."""

    def __init__(self, window: Window, problems: list[str]) -> None:
        self.window, self.problems = window, problems
        self.going_on: set[str] = set()

    def pool(self, name: str, files: Sequence[RunFile]) -> RecordedPool:
        """The pool in all processes, from its files in the order of their begin."""
        by_process: dict[str, list[RunFile]] = defaultdict(list)
        for file in files:
            by_process[recorded_part(file.header).process].append(file)
        read = [self._process(process, of) for process, of in by_process.items()]
        seconds, blocks = blocks_beside([blocks for _, blocks in read])
        first = files[0].header
        there = [process for process, _ in read if len(process.columns)]
        database = recorded_part(first).database
        return RecordedPool(name, first.name, database, there, blocks, seconds)

    def _process(self, name: str, files: Sequence[RunFile]) -> tuple[RecordedProcess, Blocks]:
        columns, blocks, kept = ColumnsBuilder(), Blocks(), KeptHolds()
        ends: list[bool] = []

        def intervals() -> Iterator[Interval]:
            for file in files:
                for interval in self._read(file, part := file.whole()):
                    columns.add(interval)
                    blocks.add(interval)
                    kept.add(interval)
                    yield interval
                ends.append(part.footer is not None)

        whole = total(intervals())
        if not ends[-1]:
            self.going_on.add(name)
        headers, rows = [file.header for file in files], spread(columns.build())
        return RecordedProcess(name, headers, rows, whole, ends[-1], kept.old()), blocks

    def _read(self, file: RunFile, part: FilePart) -> Iterator[Interval]:
        yield from (one for one in part if self.window.covers(one.second))
        if part.cut_off and part.footer is None:
            part.damage.pop(part.lines - 1, None)  # this line is still being written
        found = sorted(part.damage.items())
        self.problems += [f"{file.path.name}: line {n + 2} is damaged{what}" for n, what in found]
