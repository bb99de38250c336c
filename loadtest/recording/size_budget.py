"""The bytes that a process may still write."""

from __future__ import annotations

from collections.abc import Callable

HOUR = 3600.0
# The share of an hour's bytes that may be written at once.
_AT_ONCE = 0.05


class SizeBudget:
    """Allows a number of bytes in any hour: a part at once, the rest evenly over the hour.

    per_hour: bytes. clock: returns seconds.
    """

    def __init__(self, per_hour: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = clock()
        self.per_hour = per_hour
        self._left = self._most

    @property
    def _most(self) -> float:
        return self.per_hour * _AT_ONCE

    def limit(self, per_hour: float) -> None:
        """Lower the number of bytes in an hour, if it is higher."""
        self.per_hour = min(self.per_hour, per_hour)
        self._left = min(self._left, self._most)

    def allows(self) -> bool:
        """Whether something may be written now; it may exceed the budget once."""
        now = self._clock()
        grown = self.per_hour * (1 - 2 * _AT_ONCE) / HOUR * (now - self._at)
        self._left, self._at = min(self._most, self._left + grown), now
        return self._left > 0

    def spend(self, size: int) -> None:
        """Count bytes that were written; a negative number of bytes was saved afterwards."""
        self._left -= size
