"""Distributions as equally likely values that a simulation draws, and what it then measures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loadtest.analysis.prediction.workload import Samples
from loadtest.model.distribution import Distribution
from loadtest.model.interval import SECOND

NUMBER_OF_SAMPLES = 1000


def samples(times: Distribution, number: int = NUMBER_OF_SAMPLES) -> Samples:
    """Rising values (s), the mean of each `number`-th part of the times; empty if there are none.

    Their mean is the exact mean of the times. Times within a bin count as evenly spread.
    """
    if not times.count:
        return ()
    bins = np.array(times.bins(), dtype=np.float64)
    highest = np.minimum(bins[:, 0], times.max / 1e3)
    lowest = np.minimum(np.concatenate(([0.0], bins[:-1, 0])), highest)
    lowest = np.maximum(lowest, highest * (1 - 2 / 2**8))  # bins are at most this wide
    return _parts(lowest / 1e6, highest / 1e6, bins[:, 1], times.sum / times.count / 1e9, number)


def p95_seconds(times: Sequence[float] | np.ndarray) -> float:
    """The 95th percentile of some times (s), read as a recorded one; 0 if there are none.

    It comes from the bins of a histogram, so that both have the same resolution.
    """
    nanoseconds = np.rint(np.asarray(times, dtype=np.float64) * SECOND).astype(np.int64)
    return Distribution.of(nanoseconds).percentile_seconds(95) or 0.0


def scaled(values: Samples, mean: float) -> Samples:
    """The same shape with another mean; without a shape, only that value."""
    average = sum(values) / len(values) if values else 0.0
    return tuple(value * mean / average for value in values) if average else (mean,)


def _parts(
    lowest: np.ndarray, highest: np.ndarray, counts: np.ndarray, mean: float, number: int
) -> Sequence[float]:
    """The means of equally large parts of values that are evenly spread in their bins."""
    reached = np.concatenate(([0.0], np.cumsum(counts))) / counts.sum()
    # The integral of the quantile function, a parabola within each bin.
    edges = np.linspace(0, 1, number + 1)
    inside = np.clip(np.searchsorted(reached, edges, side="right") - 1, 0, len(counts) - 1)
    width = reached[inside + 1] - reached[inside]
    share = np.clip((edges - reached[inside]) / width, 0, 1)
    before = np.concatenate(([0.0], np.cumsum((lowest + highest) / 2 * np.diff(reached))))
    rise = highest[inside] - lowest[inside]
    integral = before[inside] + width * (lowest[inside] * share + rise * share**2 / 2)
    values = np.diff(integral) * number
    average = float(values.mean())
    return scaled(tuple(values.tolist()), mean) if average else tuple(values.tolist())
