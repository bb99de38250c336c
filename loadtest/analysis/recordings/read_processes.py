"""Reads what the processes of a recording wrote, several at once if that is faster."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from loadtest.analysis.columns_builder import ColumnsBuilder
from loadtest.analysis.recordings.blocks import Blocks, without_places
from loadtest.analysis.recordings.kept_holds import KeptHolds
from loadtest.analysis.recordings.recorded_pool import LONG_INTERVAL, RecordedProcess
from loadtest.analysis.recordings.second_rows import spread
from loadtest.analysis.recordings.time_window import Window
from loadtest.model.errors import UsageError
from loadtest.model.interval import SECOND, Interval, total
from loadtest.runfile.reader import FilePart, RunFile
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
    taken = _Taken(window)
    whole = total(taken.intervals(files))
    columns = taken.columns.build()
    process = RecordedProcess(
        name=recorded_part(files[0].header).process,
        headers=[file.header for file in files],
        columns=spread(columns),
        total=whole,
        ended=taken.ended,
        # The holds at the end of a window may have ended later.
        old_holds=() if taken.goes_on else taken.kept.old(),
        coarse_seconds=round(taken.coarse / SECOND),
        longest_interval=int(columns.length.max(initial=0)) / SECOND,
    )
    return ReadProcess(files[0].header.pool.name, process, taken.blocks, taken.problems)


class _Taken:
    """What is taken from the parts of one process.

    ended: whether the last part has ended in good order, and no other follows. goes_on: whether an
    interval follows after the window. coarse: the length (ns) of intervals of several seconds.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self.columns, self.blocks, self.kept = ColumnsBuilder(), Blocks(), KeptHolds()
        self.problems: list[str] = []
        self.ended = self.goes_on = False
        self.coarse = 0

    def intervals(self, files: Sequence[RunFile]) -> Iterator[Interval]:
        """The intervals in the window."""
        for file in _within(self._window, files):
            part = file.whole()
            for interval in as_far_as_it_is_there(part, self.problems):
                self.goes_on = self.goes_on or interval.second >= self._window.until
                if self._window.covers(interval.second, interval.length / SECOND):
                    self._take(interval)
                    yield interval
            self._end(file, part)

    def _take(self, interval: Interval) -> None:
        plain = without_places(interval)  # places take most of the memory
        self.columns.add(plain)
        self.blocks.add(plain)
        self.kept.add(interval)
        self.coarse += interval.length if interval.length > LONG_INTERVAL * SECOND else 0

    def _end(self, file: RunFile, part: FilePart) -> None:
        self.ended = part.footer is not None and not part.footer.continued
        if part.cut_off and part.footer is None:
            part.damage.pop(part.lines - 1, None)  # this line is still being written
        name, damage = file.path.name, sorted(part.damage.items())
        self.problems += [f"{name}: line {n + 2} is damaged{what}" for n, what in damage]


def as_far_as_it_is_there(part: FilePart, problems: list[str]) -> Iterator[Interval]:
    """The intervals of a part, which its application may delete before it is read."""
    try:
        yield from part
    except UsageError as error:
        problems.extend(error.problems)


def _within(window: Window, files: Sequence[RunFile]) -> list[RunFile]:
    """The parts that may have seconds in a window, and the last one, which tells the end."""
    begins = [*(file.header.started for file in files), math.inf]
    # If the clock was set back, the end of the part before it is not known.
    ends = [after if after > begin else math.inf for begin, after in pairwise(begins)]
    return [
        file
        for file, begin, end in zip(files, begins, ends, strict=False)
        if file is files[-1]
        or (end > window.since - _OVERLAP_SECONDS and begin < window.until + _OVERLAP_SECONDS)
    ]
