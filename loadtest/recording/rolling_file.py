"""The files of one recorded pool: parts, each a run file; closed parts are usually compressed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loadtest.model.end_reason import End, EndReason
from loadtest.model.interval import Interval
from loadtest.recording.part_files import compressed
from loadtest.recording.size_budget import SizeBudget
from loadtest.runfile.shared_interpreter import let_others_run
from loadtest.runfile.writer import RunWriter

PART_BYTES = 1_000_000
_EXPECTED_RATIO = 0.5


class RollingFile:
    """Appends intervals to the newest part.

    A full part is ended, compressed and followed by another. A part that was deleted is followed by
    another, too. header: returns the header of a part by its number, from 1. compress: if not, a
    part has no size limit and stays as it is. Raises LoadtestError, UsageError or OSError if a part
    cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        stem: str,
        header: Callable[[int], dict[str, Any]],
        budget: SizeBudget,
        part_bytes: int = PART_BYTES,
        *,
        compress: bool = True,
    ) -> None:
        self._folder, self._stem, self._header = folder, stem, header
        self._budget, self._compress = budget, compress
        self._part_bytes = part_bytes if compress else math.inf
        self._ratio = _EXPECTED_RATIO if compress else 1.0
        self._number = 0
        self._charged = 0
        self._writer: RunWriter | None = None
        self._totals: Counter[str] = Counter()

    def begin(self) -> RunWriter:
        """The part to append to, which is made if there is none."""
        if self._writer and not self._writer.path.exists():
            self.abandon()
        if self._writer is None:
            self._number += 1
            path = self._folder / f"{self._stem}-{self._number:04}.jsonl"
            self._writer = RunWriter(path, self._header(self._number), let_others_run)
            self._totals.clear()
            self._charged = 0
        return self._writer

    def add(self, interval: Interval, seconds: int) -> None:
        """Append an interval that covers a number of seconds."""
        writer = self.begin()
        let_others_run()
        writer.add(interval, **({"seconds": seconds} if seconds > 1 else {}))
        self._totals.update(interval.counters)
        self._charge(int(writer.size * self._ratio))
        if writer.size >= self._part_bytes:
            self.end_part()

    def end_part(self) -> None:
        """End this part; the next interval begins another one."""
        self._end(End(EndReason.FINISHED), continued=True)

    def close(self, end: End) -> None:
        """End the last part."""
        self._end(end)

    def abandon(self) -> None:
        """Close the last part as it is, without a footer."""
        if self._writer:
            self._writer.abandon()
            self._writer = None

    def _end(self, end: End, **more: Any) -> None:
        if not self._writer or not self._writer.path.exists():
            self.abandon()
            return
        writer, self._writer = self._writer, None
        totals = {name: count for name, count in self._totals.items() if count}
        writer.close(end, {"counters": totals}, **more)
        size = compressed(writer.path) if self._compress else writer.size
        self._charge(size)
        self._ratio = size / writer.size

    def _charge(self, size: int) -> None:
        """Let the budget have paid for a size of this part."""
        self._budget.spend(size - self._charged)
        self._charged = size
