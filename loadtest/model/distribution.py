"""Durations as they are kept and added up: a histogram beside exact sums.

Histograms are HdrHistograms of whole microseconds with two significant digits.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from hdrh.codec import HdrCookieException, HdrHistogramEncoder, HdrLengthException
from hdrh.histogram import HdrHistogram

LONGEST_MICROSECONDS = 3_600_000_000
SIGNIFICANT_DIGITS = 2

# A histogram with two significant digits has 256 sub-buckets: values of up to 8 bits are exact.
_EXACT_BITS = 8

# The decoder's errors for text that is not base64, zlib or a histogram; the last is for no text.
_UNDECODABLE = (ValueError, zlib.error, HdrCookieException, HdrLengthException, RuntimeError)

Nanoseconds = npt.NDArray[np.int64]


def _empty_histogram() -> HdrHistogram:
    return HdrHistogram(1, LONGEST_MICROSECONDS, SIGNIFICANT_DIGITS)


@dataclass(slots=True, eq=False)
class Distribution:
    """A set of durations: a histogram (microseconds) beside exact count, sum and maximum (ns)."""

    count: int = 0
    sum: int = 0
    max: int = 0
    _histogram: HdrHistogram | None = field(default=None, repr=False)
    _encoded: str = field(default="", repr=False)

    @classmethod
    def of(cls, durations: Nanoseconds | Sequence[int]) -> Distribution:
        """The distribution of some durations in nanoseconds; negative ones count as zero."""
        nanoseconds = np.maximum(np.asarray(durations, dtype=np.int64), 0)
        result = cls(len(nanoseconds), int(nanoseconds.sum()), int(nanoseconds.max(initial=0)))
        if result.count:
            result._histogram = _empty_histogram()
            _record(
                result._histogram, np.minimum((nanoseconds + 500) // 1000, LONGEST_MICROSECONDS)
            )
        return result

    @property
    def histogram(self) -> HdrHistogram:
        """The histogram, made or decoded when it is first looked at."""
        if self._histogram is None:
            self._histogram = _empty_histogram()
            if self._encoded:
                self._histogram.decode_and_add(self._encoded)
        return self._histogram

    def add(self, other: Distribution) -> None:
        """Add another distribution to this one, in place."""
        self.count += other.count
        self.sum += other.sum
        self.max = max(self.max, other.max)
        if not other.count:
            return
        own, self._encoded = self.histogram, ""
        if other._histogram is None and other._encoded:
            own.decode_and_add(other._encoded)
        else:
            own.add(other.histogram)

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
        """The exact mean in seconds; None where nothing was measured."""
        return self.sum / self.count / 1e9 if self.count else None

    def percentile_seconds(self, percent: float) -> float | None:
        """A percentile in seconds (within 1 %), never above the exact maximum; None if empty."""
        if not self.count:
            return None
        microseconds: int = self.histogram.get_value_at_percentile(percent)
        return min(microseconds * 1000, self.max) / 1e9

    def percentiles_seconds(self, percents: Sequence[float]) -> list[float | None]:
        """Several of `percentile_seconds`, in a tenth of its time: for a page that is waiting."""
        if not self.count:
            return [None] * len(percents)
        histogram = self.histogram
        upto = np.ctypeslib.as_array(histogram.counts).cumsum()
        wanted = [max(int(percent / 100 * self.count + 0.5), 1) for percent in percents]
        indexes = upto.searchsorted(np.array(wanted, dtype=upto.dtype)).tolist()
        highest = histogram.get_highest_equivalent_value
        found = [highest(histogram.get_value_from_index(index)) for index in indexes]
        return [min(microseconds * 1000, self.max) / 1e9 for microseconds in found]

    def bins(self) -> list[tuple[int, int]]:
        """The filled bins: pairs of the highest microsecond in the bin and its count."""
        histogram = self.histogram
        counts = np.ctypeslib.as_array(histogram.counts)
        filled = np.flatnonzero(counts)
        return [
            (histogram.get_highest_equivalent_value(histogram.get_value_from_index(index)), count)
            for index, count in zip(filled.tolist(), counts[filled].tolist(), strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """The distribution as a line of a result file has it (V2 compressed base64 histogram)."""
        if not self._encoded:
            self._encoded = self.histogram.encode().decode("ascii")
        return {"count": self.count, "sum": self.sum, "max": self.max, "hdr": self._encoded}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Distribution:
        """Read what `to_json` wrote; the histogram is decoded when somebody looks at it.

        A decoded one has room for every bin, fifty times what it takes as text, and whoever reads a
        whole file wants sums only.
        """
        return cls(data["count"], data["sum"], data["max"], None, data["hdr"])


def sound(encoded: str) -> str:
    """The text of a histogram; raises ValueError if it is damaged, which its checksum tells."""
    try:
        HdrHistogramEncoder.decode(encoded)
    except _UNDECODABLE as error:
        raise ValueError(f"no histogram: {error}") from None
    return encoded


def _record(histogram: HdrHistogram, microseconds: Nanoseconds) -> None:
    """What `record_value` does, for all values at once: one by one is what costs most in a second.

    A bin is a power of two and the highest bits of a value, as in HdrHistogram's `_counts_index`.
    """
    shift = np.maximum(np.frexp(microseconds.astype(np.float64))[1] - _EXACT_BITS, 0)
    bits = microseconds >> shift
    filled = np.bincount(bits + (shift << _EXACT_BITS - 1))
    np.ctypeslib.as_array(histogram.counts)[: len(filled)] += filled.astype(np.uint64)
    histogram.total_count += len(microseconds)
    histogram.min_value = min(histogram.min_value, int((bits << shift).min()))
    histogram.max_value = max(histogram.max_value, int((bits << shift).max()))
