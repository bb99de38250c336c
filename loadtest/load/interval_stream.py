"""The stream of intervals of one run, from all processes to the file and the live page."""

from __future__ import annotations

from collections import Counter
from typing import Any

from loadtest.live.displays import Live
from loadtest.model.end_reason import End
from loadtest.model.interval import SERVER, Interval
from loadtest.runfile.writer import RunWriter


class IntervalStream:
    """Takes every interval of a run once: writes it, adds it up and shows it live."""

    def __init__(self, writer: RunWriter, live: Live) -> None:
        self._writer = writer
        self._live = live
        self.counters: Counter[str] = Counter()

    def add(self, interval: Interval) -> None:
        """Take an interval; raises LoadtestError if it cannot be written."""
        if interval.process != SERVER:
            self._live.add(interval)
            self.counters.update(interval.counters)
        self._writer.add(interval)

    def close(
        self, end: End, workers: list[dict[str, Any]], programs: list[dict[str, Any]]
    ) -> None:
        """Write the footer, with the records of workers and of other programs, if any."""
        more = {"workers": workers, "programs": programs}
        present = {name: records for name, records in more.items() if records}
        self._writer.close(end, self._totals(), **present)

    def _totals(self) -> dict[str, Any]:
        return {"counters": dict(sorted(self.counters.items()))}
