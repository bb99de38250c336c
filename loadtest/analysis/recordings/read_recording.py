"""Reads the files of a recording, of all processes and hosts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from loadtest.analysis.recordings.blocks import blocks_beside
from loadtest.analysis.recordings.read_processes import (
    ReadProcess,
    as_far_as_it_is_there,
    read_processes,
)
from loadtest.analysis.recordings.recorded_pool import RecordedPool
from loadtest.analysis.recordings.time_window import ALL_TIME, Window
from loadtest.analysis.units import listed
from loadtest.model.errors import UsageError
from loadtest.model.interval import SECOND
from loadtest.runfile.reader import RunFile
from loadtest.runfile.recording_files import RecordingFiles, recorded_part, recording_files

_K = TypeVar("_K")


@dataclass(frozen=True, eq=False)
class Recording:
    """The pools of a running application, the one with the most checkouts first.

    application: its name. problems: what is missing or damaged.
    going_on: the processes whose last part has no footer: they still write it, or were killed.
    """

    application: str
    pools: Sequence[RecordedPool]
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
    by_pool = _grouped(parts, lambda file: file.header.pool.name)
    processes = read_processes(
        [of for pool in by_pool.values() for of in _grouped(pool, _process_of).values()], window
    )
    pools = [_pool(name, of, processes) for name, of in by_pool.items()]
    used = [pool for pool in pools if pool.used]
    problems = [*found.problems, *(problem for one in processes for problem in one.problems)]
    if not used:
        raise UsageError(*_without_checkouts(pools, window), *problems)
    used.sort(key=lambda pool: -pool.checkout_attempts)
    going_on = {one.process.name for one in processes if not one.process.ended}
    return Recording(parts[0].header.name, used, problems, sorted(going_on))


def recorded_time(paths: Sequence[Path], application: str = "") -> tuple[int, int]:
    """The UTC seconds of its begin and end, from the headers and the last part of each process.

    application: as in `read_recording`. Raises UsageError.
    """
    parts = _of_one_application(recording_files(paths), application)
    last = {(file.header.pool.name, _process_of(file)): file for file in parts}.values()
    ends = [file.header.started for file in last]
    for file in last:
        for interval in as_far_as_it_is_there(file.whole(), []):
            ends.append(interval.second + interval.length / SECOND)
    return int(min(file.header.started for file in parts)), math.ceil(max(ends))


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


def _grouped(files: Sequence[RunFile], key: Callable[[RunFile], _K]) -> dict[_K, list[RunFile]]:
    groups: dict[_K, list[RunFile]] = defaultdict(list)
    for file in files:
        groups[key(file)].append(file)
    return groups


def _process_of(file: RunFile) -> tuple[str, float]:
    part = recorded_part(file.header)
    return part.process, part.began


def _pool(name: str, files: Sequence[RunFile], processes: Sequence[ReadProcess]) -> RecordedPool:
    """The pool of a name in all processes that have rows; files: its own, in order."""
    own = [one for one in processes if one.pool == name]
    seconds, blocks = blocks_beside([one.blocks for one in own])
    there = [one.process for one in own if len(one.process.columns)]
    return RecordedPool(name, recorded_part(files[0].header).database, there, blocks, seconds)


def _without_checkouts(pools: Sequence[RecordedPool], window: Window) -> Iterator[str]:
    names = listed([pool.name for pool in pools])
    if window == ALL_TIME:
        yield (
            f"the recording of {names} has no checkout: the application made an engine, but took "
            "no connection from its pool"
        )
    else:
        yield f"the recording of {names} has no checkout in the requested time"
