"""Distributions of durations: a histogram with exact sums.

Histograms are HdrHistograms of whole microseconds with two significant digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from loadtest.model.histogram import (
    HIGHEST,
    LONGEST_MICROSECONDS,
    Counts,
    added,
    all_encoded,
    bins_of,
    decoded,
)
from loadtest.model.steps import LetOthersRun, go_on, in_steps

Nanoseconds = npt.NDArray[np.int64]

_EMPTY: Counts = np.zeros(0, dtype=np.int64)
# Histograms that are encoded in one step.
_AT_ONCE = 8


@dataclass(slots=True, eq=False)
class Distribution:
    """A set of durations: a histogram (microseconds) with exact count, sum and maximum (ns)."""

    count: int = 0
    sum: int = 0
    max: int = 0
    _counts: Counts | None = field(default=None, repr=False)
    _encoded: str = field(default="", repr=False)

    @classmethod
    def of(cls, durations: Nanoseconds | Sequence[int]) -> Distribution:
        """The distribution of some durations in nanoseconds; negative ones count as zero."""
        if not len(durations):
            return cls()
        return next(cls.of_groups(np.asarray(durations, dtype=np.int64), [0]))

    @classmethod
    def of_groups(cls, durations: Nanoseconds, begins: Sequence[int]) -> Iterator[Distribution]:
        """The distributions of groups of durations, in hardly more time than for one.

        begins: the first of each group; none is empty.
        """
        nanoseconds = np.maximum(durations, 0)
        bins = bins_of(np.minimum((nanoseconds + 500) // 1000, LONGEST_MICROSECONDS))
        sums = np.add.reduceat(nanoseconds, begins).tolist()
        longest = np.maximum.reduceat(nanoseconds, begins).tolist()
        groups = pairwise([*begins, len(bins)])
        for (begin, end), whole, most in zip(groups, sums, longest, strict=True):
            counts = np.bincount(bins[begin:end]).astype(np.int64, copy=False)
            yield cls(end - begin, whole, most, counts)

    @property
    def counts(self) -> Counts:
        """The number of durations in each bin of the histogram, up to the last filled bin.

        Decoded on first use.
        """
        if self._counts is None:
            self._counts = decoded([self._encoded])[0] if self._encoded else _EMPTY
        return self._counts

    def add(self, other: Distribution) -> None:
        """Add another distribution to this one, in place."""
        self.count += other.count
        self.sum += other.sum
        self.max = max(self.max, other.max)
        if other.count:
            self._counts, self._encoded = added(self.counts, other.counts), ""

    def __add__(self, other: Distribution) -> Distribution:
        total = Distribution()
        total.add(self)
        total.add(other)
        return total

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Distribution):
            return NotImplemented
        exact = (self.count, self.sum, self.max) == (other.count, other.sum, other.max)
        return exact and self.bins() == other.bins()

    __hash__ = None  # type: ignore[assignment] # it changes

    @property
    def mean_seconds(self) -> float | None:
        """The exact mean in seconds; None if empty."""
        return self.sum / self.count / 1e9 if self.count else None

    def percentile_seconds(self, percent: float) -> float | None:
        """A percentile in seconds (within 1 %), never above the exact maximum; None if empty."""
        return self.percentiles_seconds([percent])[0]

    def percentiles_seconds(self, percents: Sequence[float]) -> list[float | None]:
        """Several of `percentile_seconds` at once."""
        if not self.count:
            return [None] * len(percents)
        upto = np.cumsum(self.counts)
        wanted = [max(int(percent * self.count / 100 + 0.5), 1) for percent in percents]
        found = HIGHEST[np.minimum(np.searchsorted(upto, wanted), len(upto) - 1)]
        return [min(microseconds * 1000, self.max) / 1e9 for microseconds in found.tolist()]

    def bins(self) -> list[tuple[int, int]]:
        """The filled bins: pairs of the highest microsecond in the bin and its count."""
        filled = np.flatnonzero(self.counts)
        return list(zip(HIGHEST[filled].tolist(), self.counts[filled].tolist(), strict=True))

    def longer_than(self, seconds: float) -> int:
        """The number of longer durations, by the highest value of their bins."""
        return int(self.counts[HIGHEST[: len(self.counts)] > seconds * 1e6].sum())

    @staticmethod
    def encode(several: Iterable[Distribution], let_others_run: LetOthersRun = go_on) -> None:
        """Prepare several distributions for `to_json`, in hardly more time than one."""
        left = [one for one in several if not one._encoded]
        for begin in in_steps(range(0, len(left), _AT_ONCE), let_others_run):
            part = left[begin : begin + _AT_ONCE]
            for one, text in zip(part, all_encoded([each.counts for each in part]), strict=True):
                one._encoded = text

    def to_json(self) -> dict[str, Any]:
        """The distribution for a line of a result file (V2 compressed base64 histogram)."""
        if not self._encoded:
            self.encode([self])
        return {"count": self.count, "sum": self.sum, "max": self.max, "hdr": self._encoded}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Distribution:
        """Read what `to_json` wrote; the histogram is decoded on first use."""
        return cls(data["count"], data["sum"], data["max"], None, data["hdr"])
