"""Names above the dots of a panel: side by side, or vertical if there are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from loadtest.report.figures.toolkit import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches: the width of a vertical name, and the gap between two names.
_THICK, _APART = 0.1, 0.07
# The width relative to an ordinary letter.
_BOLD = 1.3


@dataclass(frozen=True)
class DotLabels:
    """The names of some dots. left, right: inches beside their panel."""

    names: Sequence[str]
    left: float
    right: float

    @property
    def lift(self) -> float:
        """The inches that vertical names take above the panel; others are inside, at its top."""
        return self._letters if self._upright else 0.0

    def write(self, axes: Axes, at: Sequence[float], shades: Sequence[str]) -> None:
        """Write each name above its dot, pushed apart; if there are too many, only some.

        at: where the dots are, as shares of the axis. shades: the colours of the lines to them.
        """
        wide = _THICK if self._upright else self._letters
        gap, (low, high) = (wide + _APART) / self._axis, self._ends(wide)
        shown = evenly_chosen(at, 1 + int((high - low) / gap))
        moved = canvas.push_apart([at[one] for one in shown], gap, low, high)
        upright = {"rotation": 90, "va": "bottom"} if self._upright else {}
        how: dict[str, Any] = {"ha": "center", "weight": "bold", **upright}
        for one, x in zip(shown, moved, strict=True):
            line: dict[str, Any] = {"transform": axes.transAxes, "color": shades[one], "lw": 1.4}
            axes.plot([x, at[one]], [0.87, 0.78], scalex=False, scaley=False, **line)
            height = 0.89 if upright else 0.94
            canvas.write_text(axes, x, height, self.names[one], transform=axes.transAxes, **how)

    @property
    def _axis(self) -> float:
        return canvas.WIDTH - self.left - self.right

    @property
    def _letters(self) -> float:
        """How many inches the longest one needs."""
        return _BOLD * canvas.text_width(self.names)

    @property
    def _upright(self) -> bool:
        low, high = self._ends(self._letters)
        return (self._letters + _APART) * (len(self.names) - 1) > (high - low) * self._axis

    def _ends(self, wide: float) -> tuple[float, float]:
        """The range of the axis in which a name is not cut off."""
        half = wide / 2
        low, high = (half - self.left) / self._axis, 1 + (self.right - half) / self._axis
        return max(low, 0.0), min(high, 1.0)


def evenly_chosen(at: Sequence[float], most: int) -> list[int]:
    """The indexes of places in order; of too many an even choice, with both ends."""
    ordered = sorted(range(len(at)), key=lambda one: at[one])
    if len(ordered) <= most:
        return ordered
    return [ordered[round(step)] for step in np.linspace(0, len(ordered) - 1, most)]
