"""The intervals of one run, of all its processes, on their way to file and exporter."""

from __future__ import annotations

from collections import Counter
from typing import Any

from loadtest.interval import SERVER, Interval
from loadtest.live.exporter import Exporter
from loadtest.results import RunWriter


class Timeline:
    """Takes every interval of a run once: writes it, adds it up and shows it to the exporter."""

    def __init__(self, writer: RunWriter, exporter: Exporter) -> None:
        self._writer = writer
        self._exporter = exporter
        self.counters: Counter[str] = Counter()

    def add(self, interval: Interval) -> None:
        """Take an interval; raises LoadtestError if it cannot be written."""
        if interval.process != SERVER:
            self._exporter.add(interval)
            self.counters.update(interval.counters)
        self._writer.add(interval)

    def close(self, reason: str, workers: list[dict[str, Any]]) -> None:
        """Write the footer; workers: what it says of each, if there are any."""
        self._writer.close(reason, self._totals(), **({"workers": workers} if workers else {}))

    def _totals(self) -> dict[str, Any]:
        return {"counters": dict(sorted(self.counters.items()))}
