"""HdrHistogram's bins and its text form, as numpy arrays.

A histogram is an array of counts, up to the last bin that is filled: bin 0 counts the smallest
values. Its text is the V2 encoding: base64 of a zlib stream of a header and counts, each count a
ZigZag LEB128 number in which a negative one stands for so many empty bins (HdrHistogram's Java
source, `AbstractHistogram.fillBufferFromCountsArray` and `ZigZagEncoding`).
"""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

LONGEST_MICROSECONDS = 3_600_000_000
SIGNIFICANT_DIGITS = 2

Counts = npt.NDArray[np.int64]

# With two significant digits a power of two has 128 bins, and values of up to 8 bits one each.
_HALF, _EXACT_BITS = 128, 8
_BINS = 26 * _HALF
_SCALE = np.maximum(np.arange(_BINS) // _HALF - 1, 0)
_LOWEST = (np.arange(_BINS) - _HALF * _SCALE) << _SCALE
# The highest value (microseconds) of each bin.
HIGHEST: Counts = _LOWEST + (1 << _SCALE) - 1

_OUTER, _INNER = struct.Struct(">II"), struct.Struct(">IIIIQQd")
_OUTER_COOKIE, _INNER_COOKIE = 0x1C849304, 0x1C849303
# The part of a cookie that tells nothing in this encoding.
_WORD_SIZE = 0xF0
# A longer number would be a count of more than 2 ** 55.
_MOST_BYTES = 8


def recorded(microseconds: Counts) -> Counts:
    """The counts of some values: a bin is a power of two and the highest bits of a value."""
    shift = np.maximum(np.frexp(microseconds.astype(np.float64))[1] - _EXACT_BITS, 0)
    return np.bincount((microseconds >> shift) + shift * _HALF).astype(np.int64, copy=False)


def added(one: Counts, other: Counts) -> Counts:
    """The sum of two; the longer of the two arrays may be the result, changed in place."""
    if len(one) < len(other):
        one, other = other.copy(), one
    one[: len(other)] += other
    return one


def encoded(counts: Counts) -> str:
    """The text of a histogram."""
    numbers = _leb128(_without_gaps(counts))
    header = (_INNER_COOKIE | 0x10, len(numbers), 0, SIGNIFICANT_DIGITS, 1, LONGEST_MICROSECONDS)
    inner = zlib.compress(_INNER.pack(*header, 1.0) + numbers)
    outer = _OUTER.pack(_OUTER_COOKIE | 0x10, len(inner)) + inner
    return binascii.b2a_base64(outer, newline=False).decode("ascii")


def decoded(texts: Sequence[str]) -> list[Counts]:
    """The counts of several histograms; together they take hardly longer than one.

    Raises ValueError if one of the texts is damaged, which its checksum tells.
    """
    return unpacked([compact(text) for text in texts])


def compact(text: str) -> bytes:
    """The numbers of a histogram, still in LEB128; raises ValueError if the text is damaged."""
    try:
        raw = binascii.a2b_base64(text)
        cookie, length = _OUTER.unpack_from(raw)
        inner = zlib.decompress(raw[_OUTER.size :])
        inner_cookie, size, _, digits, lowest, _, _ = _INNER.unpack_from(inner)
    except (ValueError, struct.error, zlib.error) as error:
        raise ValueError(f"no histogram: {error}") from None
    numbers = inner[_INNER.size :]
    known = cookie & ~_WORD_SIZE == _OUTER_COOKIE and inner_cookie & ~_WORD_SIZE == _INNER_COOKIE
    if not known or length != len(raw) - _OUTER.size or size != len(numbers):
        raise ValueError("no histogram: another encoding or length")
    if (digits, lowest) != (SIGNIFICANT_DIGITS, 1):
        raise ValueError("no histogram: another resolution")
    return numbers


def unpacked(packed: Sequence[bytes]) -> list[Counts]:
    """The counts of several histograms from their numbers; ValueError if there are none such."""
    if not (joined := b"".join(packed)):
        return [np.zeros(0, dtype=np.int64) for _ in packed]
    parts = np.frombuffer(joined, dtype=np.uint8)
    sizes = np.array([len(one) for one in packed])
    last = parts < 0x80
    if not last[np.cumsum(sizes)[sizes > 0] - 1].all():
        raise ValueError("no histogram: its last count is cut off")
    ends = np.flatnonzero(last)
    begins = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - begins + 1
    if lengths.max() > _MOST_BYTES:
        raise ValueError("no histogram: a count of more than 2 ** 55")
    shift = 7 * (np.arange(len(parts)) - np.repeat(begins, lengths))
    zigzag = np.add.reduceat((parts & 0x7F).astype(np.int64) << shift, begins)
    numbers = (zigzag >> 1) ^ -(zigzag & 1)
    return _spread(numbers, np.searchsorted(ends, np.cumsum(sizes)))


def _spread(numbers: Counts, stops: npt.NDArray[np.int_]) -> list[Counts]:
    """Put counts into their bins; stops: where the numbers of each histogram end."""
    steps = np.where(numbers < 0, -numbers, 1)
    after = np.concatenate(([0], np.cumsum(np.minimum(steps, _BINS + 1))))
    begins = np.concatenate(([0], stops[:-1]))
    sizes = after[stops] - after[begins]
    if sizes.max() > _BINS:
        raise ValueError("no histogram: too many bins")
    flat = np.zeros(after[-1], dtype=np.int64)
    flat[after[1:] - 1] = np.maximum(numbers, 0)
    return [flat[begin:end] for begin, end in pairwise([0, *after[stops].tolist()])]


def _without_gaps(counts: Counts) -> Counts:
    """The counts, each run of several empty bins as one negative number."""
    filled = np.flatnonzero(counts)
    gaps = np.diff(filled, prepend=-1) - 1
    numbers = np.stack([np.where(gaps > 1, -gaps, 0), counts[filled]], axis=1)
    kept: Counts = numbers[np.stack([gaps > 0, np.ones(len(filled), dtype=bool)], axis=1)]
    return kept


def _leb128(numbers: Counts) -> bytes:
    zigzag = (numbers << 1) ^ (numbers >> 63)
    places = 7 * np.arange(_MOST_BYTES)
    parts = zigzag[:, None] >> places
    used = parts > 0
    used[:, 0] = True
    more = np.zeros_like(used)
    more[:, :-1] = used[:, 1:]
    return ((parts & 0x7F) | (more << 7)).astype(np.uint8)[used].tobytes()
