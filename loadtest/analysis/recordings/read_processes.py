"""Reads what the processes of a recording wrote, several at once if that is faster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from loadtest.analysis.columns_builder import ColumnsBuilder
from loadtest.analysis.recordings.blocks import Blocks
from loadtest.analysis.recordings.kept_holds import KeptHolds
from loadtest.analysis.recordings.recorded_pool import RecordedProcess
from loadtest.analysis.recordings.second_rows import spread
from loadtest.analysis.recordings.time_window import Window
from loadtest.model.interval import SECOND, Interval, total
from loadtest.runfile.reader import RunFile
from loadtest.runfile.recording_files import recorded_part

# Reading fewer bytes, which are compressed for the most part, is quicker in one process.
_WORTH_PROCESSES_BYTES = 1_000_000
# A part may begin this long (s) before its last second of the part before it was written.
_OVERLAP_SECONDS = 60


@dataclass(frozen=True, eq=False)
class ReadProcess:
    """What one process recorded of one pool; problems: damaged lines of its files."""

    pool: str
    process: RecordedProcess
    blocks: Blocks
    problems: Sequence[str]


def read_processes(files: Sequence[Sequence[RunFile]], window: Window) -> list[ReadProcess]:
    """Read the parts of some processes as far as they lie in a window.

    files: for each process, the parts of one pool in the order of their begin.
    """
    workers = min(os.cpu_count() or 1, len(files))
    if workers < 2 or sum(file.size for of in files for file in of) < _WORTH_PROCESSES_BYTES:
        return [_read(window, of) for of in files]
    with ProcessPoolExecutor(workers) as processes:
        return list(processes.map(partial(_read, window), files))


def _read(window: Window, files: Sequence[RunFile]) -> ReadProcess:
    columns, blocks, kept = ColumnsBuilder(), Blocks(), KeptHolds()
    problems: list[str] = []
    ended = False

    def intervals() -> Iterator[Interval]:
        nonlocal ended
        for file in _within(window, files):
            part = file.whole()
            for interval in (one for one in part if window.covers(one.second)):
                columns.add(interval)
                blocks.add(interval)
                kept.add(interval)
                yield interval
            ended = part.footer is not None
            if part.cut_off and not ended:
                part.damage.pop(part.lines - 1, None)  # this line is still being written
            found = sorted(part.damage.items())
            problems.extend(f"{file.path.name}: line {n + 2} is damaged{what}" for n, what in found)

    whole = total(intervals())
    name, headers = recorded_part(files[0].header).process, [file.header for file in files]
    built = columns.build()
    rows, longest = spread(built), int(built.length.max(initial=0)) / SECOND
    process = RecordedProcess(name, headers, rows, whole, ended, kept.old(), longest)
    return ReadProcess(headers[0].pool.name, process, blocks, problems)


def _within(window: Window, files: Sequence[RunFile]) -> list[RunFile]:
    """The parts that may have seconds in a window, and the last one, which tells the end."""
    begins = [*(file.header.started for file in files), float("inf")]
    return [
        file
        for file, (begin, next_) in zip(files, pairwise(begins), strict=True)
        if file is files[-1]
        or (next_ > window.since - _OVERLAP_SECONDS and begin < window.until + _OVERLAP_SECONDS)
    ]
