"""The holds of a process that were in progress for long when its recording ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from loadtest.model.interval import SECOND, Interval
from loadtest.model.place_use import PlaceUse

# A hold that lasts this long (s) may never end.
LONG_KEPT = 30


@dataclass(frozen=True)
class OldHolds:
    """Holds of one place in one process: about their number, and the age of the oldest (s)."""

    place: str
    number: int
    age: float


class KeptHolds:
    """Takes the intervals of a process and keeps the holds in progress of the last seconds.

    These are counted by the lengths of the intervals: a clock that is set back moves their seconds.
    long: as many (s), and the least age of an old hold.
    """

    def __init__(self, long: float = LONG_KEPT) -> None:
        self._long = long
        self._recorded = 0.0
        self._recent: deque[tuple[float, Mapping[str, PlaceUse]]] = deque()

    def add(self, interval: Interval) -> None:
        """Add an interval that follows the earlier ones."""
        self._recorded += interval.length / SECOND
        kept = {place: use for place, use in interval.places.items() if use.kept}
        self._append(self._recorded, kept)

    def extend(self, later: KeptHolds) -> None:
        """Add the holds of the time that follows."""
        for end, kept in later._recent:
            self._append(self._recorded + end, kept)
        self._recorded += later._recorded

    def _append(self, end: float, kept: Mapping[str, PlaceUse]) -> None:
        self._recent.append((end, kept))
        while len(self._recent) > 1 and self._recent[1][0] <= end - self._long:
            self._recent.popleft()

    def old(self) -> list[OldHolds]:
        """The places that held a connection for all of the last seconds."""
        if not self._recent or self._seconds < self._long:
            return []
        return [
            OldHolds(place, self._number(place), use.longest_hold / SECOND)
            for place, use in self._recent[-1][1].items()
            if use.longest_hold >= self._long * SECOND
            and all(place in kept for _, kept in self._recent)
        ]

    @property
    def _seconds(self) -> float:
        return self._recent[-1][0] - self._recent[0][0]

    def _number(self, place: str) -> int:
        """How many of the holds in progress are that old.

        The others are on average as many as their holds take time (Little's law). All that were
        not taken in this time are old, and never more than the fewest in progress.
        """
        begin, *uses = [kept[place] for _, kept in self._recent]
        ended = sum(use.hold for use in uses) / SECOND / self._seconds
        usual = round(sum(use.kept for use in uses) / len(uses) - ended)
        least = uses[-1].kept - sum(use.checkouts for use in uses)
        return min(max(1, usual, least), *(use.kept for use in [begin, *uses]))
