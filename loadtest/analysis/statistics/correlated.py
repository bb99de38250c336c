"""Successive values that resemble each other: how much less their mean tells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Values are taken to resemble their neighbours by at most this correlation.
MOST_ALIKE = 0.9


def likeness(values: Sequence[float]) -> float:
    """The correlation of successive values, from 0 to MOST_ALIKE; 0 for fewer than three."""
    if len(values) < 3:
        return 0.0
    rest = np.array(values) - np.mean(values)
    alike = float(rest[1:] @ rest[:-1] / max(float(rest @ rest), 1e-12))
    return min(max(alike, 0.0), MOST_ALIKE)


def variance_factor(alike: float) -> float:
    """How much larger the variance of a mean is than that of independent values.

    (1 + r) / (1 - r) for a correlation r of successive values (Bartlett, "Some aspects of the
    time-correlation problem", 1935).
    """
    return (1 + alike) / (1 - alike)
