"""The holds of a process that were in progress for long when its recording ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from loadtest.model.interval import SECOND, Interval

# A hold that lasts this long (s) may never end.
LONG_KEPT = 30


@dataclass(frozen=True)
class OldHolds:
    """Holds of one place in one process: at least their number, and the age of the oldest (s)."""

    place: str
    number: int
    age: float


class KeptHolds:
    """Takes the intervals of a process and keeps the holds in progress of the last seconds.

    These are counted by the lengths of the intervals: a clock that is set back moves their seconds.
    """

    def __init__(self) -> None:
        self._recorded = 0.0
        self._recent: deque[tuple[float, Mapping[str, int]]] = deque()
        self._oldest: dict[str, int] = {}

    def add(self, interval: Interval) -> None:
        """Add an interval that follows the earlier ones."""
        end = self._recorded = self._recorded + interval.length / SECOND
        kept = {place: use.kept for place, use in interval.places.items() if use.kept}
        self._recent.append((end, kept))
        self._oldest = {place: interval.places[place].longest_hold for place in kept}
        while len(self._recent) > 1 and self._recent[1][0] <= end - LONG_KEPT:
            self._recent.popleft()

    def old(self) -> list[OldHolds]:
        """The places that held a connection all the time for LONG_KEPT at the end."""
        if not self._recent or self._recent[-1][0] - self._recent[0][0] < LONG_KEPT:
            return []
        return [
            OldHolds(place, least, oldest / SECOND)
            for place, oldest in self._oldest.items()
            if oldest >= LONG_KEPT * SECOND
            and (least := min(kept.get(place, 0) for _, kept in self._recent))
        ]
