"""A part of the time of a recording."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """The time from one UTC second up to another, which is excluded; infinite without limits."""

    since: float = -math.inf
    until: float = math.inf

    def covers(self, second: int) -> bool:
        """Whether a UTC second lies within it."""
        return self.since <= second < self.until


ALL_TIME = Window()
