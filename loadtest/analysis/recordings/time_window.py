"""A part of the time of a recording."""

from __future__ import annotations

import math
from dataclasses import dataclass

MOMENT_FORMS = (
    "14:03, 14:03:20, 2026-11-30T14:03 (UTC; add +01:00 or ' local'), or 10m before the end"
)
"""How people write moments, for help and errors."""


@dataclass(frozen=True)
class Window:
    """The time from one UTC second up to another, which is excluded; infinite without limits."""

    since: float = -math.inf
    until: float = math.inf

    def covers(self, second: int, length: float) -> bool:
        """Whether an interval from a UTC second on lies mostly within it; length: seconds."""
        middle = second + max(1, round(length)) // 2
        return self.since <= middle < self.until


ALL_TIME = Window()
