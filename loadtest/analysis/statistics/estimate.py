"""Means of a few rounds, and their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from loadtest.analysis.statistics.students_t import student_quantile
from loadtest.model.field_types import Interval95


def mean(values: Sequence[float]) -> float | None:
    """The mean; None without values."""
    return float(np.mean(values)) if values else None


def interval95(values: Sequence[float], level: float = 0.05) -> Interval95 | None:
    """The 95 % interval of the mean of independent values; None for fewer than two.

    Mean -+ t(n-1, 0.975) s / sqrt(n) (Student, "The probable error of a mean", 1908).
    level: how often one interval may miss the mean; less with interim analyses, so that all
    intervals together have 95 %.
    """
    if len(values) < 2:
        return None
    t = student_quantile(len(values) - 1, 1 - level / 2)
    half = t * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    middle = float(np.mean(values))
    return middle - half, middle + half
