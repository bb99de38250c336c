"""HdrHistogram's bins and its text form, as numpy arrays.

A histogram is an array of counts, up to the last filled bin; bin 0 counts the smallest values. Its
text is the V2 encoding: base64 of a zlib stream of a header and counts. Each count is a ZigZag
LEB128 number; a negative number -n stands for n empty bins (HdrHistogram's Java source,
`AbstractHistogram.fillBufferFromCountsArray` and `ZigZagEncoding`).
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
# The bits of a cookie that have no meaning in this encoding.
_WORD_SIZE = 0xF0
_WINDOW_BITS, _MEMORY_LEVEL = 12, 5
# More bytes would mean a count of more than 2 ** 55.
_MOST_BYTES = 8


def bins_of(microseconds: Counts) -> Counts:
    """The bin of each value: it is a power of two and the highest bits of the value."""
    shift = np.maximum(np.frexp(microseconds.astype(np.float64))[1] - _EXACT_BITS, 0)
    bins: Counts = (microseconds >> shift) + shift * _HALF
    return bins


def added(one: Counts, other: Counts) -> Counts:
    """The sum of two arrays; the longer one may be changed in place and returned."""
    if len(one) < len(other):
        one, other = other.copy(), one
    one[: len(other)] += other
    return one


def encoded(counts: Counts) -> str:
    """The text of a histogram."""
    return all_encoded([counts])[0]


def all_encoded(several: Sequence[Counts]) -> list[str]:
    """The texts of several histograms, in hardly more time than for one."""
    filled = [counts for counts in several if len(counts)]
    numbers = iter(_leb128(*_without_gaps(filled)) if filled else ())
    return [_text(next(numbers) if len(counts) else b"") for counts in several]


def _text(numbers: bytes) -> str:
    header = (_INNER_COOKIE | 0x10, len(numbers), 0, SIGNIFICANT_DIGITS, 1, LONGEST_MICROSECONDS)
    # The usual memory, 256 kB, would take longer to allocate than such a text to compress.
    stream = zlib.compressobj(wbits=_WINDOW_BITS, memLevel=_MEMORY_LEVEL)
    inner = stream.compress(_INNER.pack(*header, 1.0) + numbers) + stream.flush()
    outer = _OUTER.pack(_OUTER_COOKIE | 0x10, len(inner)) + inner
    return binascii.b2a_base64(outer, newline=False).decode("ascii")


def decoded(texts: Sequence[str]) -> list[Counts]:
    """The counts of several histograms, in hardly more time than for one.

    Raises ValueError if a text is damaged, by its checksum.
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
        raise ValueError(f"not a histogram: {error}") from None
    numbers = inner[_INNER.size :]
    known = cookie & ~_WORD_SIZE == _OUTER_COOKIE and inner_cookie & ~_WORD_SIZE == _INNER_COOKIE
    if not known or length != len(raw) - _OUTER.size or size != len(numbers):
        raise ValueError("not a histogram: unknown encoding or wrong length")
    if (digits, lowest) != (SIGNIFICANT_DIGITS, 1):
        raise ValueError("not a histogram: unknown resolution")
    return numbers


def unpacked(packed: Sequence[bytes]) -> list[Counts]:
    """The counts of several histograms from their numbers; raises ValueError."""
    if not (joined := b"".join(packed)):
        return [np.zeros(0, dtype=np.int64) for _ in packed]
    parts = np.frombuffer(joined, dtype=np.uint8)
    sizes = np.array([len(one) for one in packed])
    last = parts < 0x80
    if not last[np.cumsum(sizes)[sizes > 0] - 1].all():
        raise ValueError("not a histogram: the last count is cut off")
    ends = np.flatnonzero(last)
    begins = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - begins + 1
    if lengths.max() > _MOST_BYTES:
        raise ValueError("not a histogram: a count of more than 2 ** 55")
    shift = 7 * (np.arange(len(parts)) - np.repeat(begins, lengths))
    zigzag = np.add.reduceat((parts & 0x7F).astype(np.int64) << shift, begins)
    numbers = (zigzag >> 1) ^ -(zigzag & 1)
    return _spread(numbers, np.searchsorted(ends, np.cumsum(sizes)))


def _spread(numbers: Counts, stops: npt.NDArray[np.int_]) -> list[Counts]:
    """Put counts into their bins; stops: the end of the numbers of each histogram."""
    steps = np.where(numbers < 0, -numbers, 1)
    after = np.concatenate(([0], np.cumsum(np.minimum(steps, _BINS + 1))))
    begins = np.concatenate(([0], stops[:-1]))
    sizes = after[stops] - after[begins]
    if sizes.max() > _BINS:
        raise ValueError("not a histogram: too many bins")
    flat = np.zeros(after[-1], dtype=np.int64)
    flat[after[1:] - 1] = np.maximum(numbers, 0)
    return [flat[begin:end] for begin, end in pairwise([0, *after[stops].tolist()])]


def _without_gaps(several: Sequence[Counts]) -> tuple[Counts, Counts]:
    """The ZigZag numbers of histograms without an empty one, and where those of each begin.

    A run of several empty bins is one number. The last bin of a histogram is filled, so that the
    next one begins behind it.
    """
    flat = np.concatenate(several)
    ends = np.cumsum([len(counts) for counts in several])
    filled = np.flatnonzero(flat)
    first = np.concatenate(([0], np.searchsorted(filled, ends[:-1])))
    gaps = filled - np.concatenate(([-1], filled[:-1])) - 1
    numbers, kept = np.empty((len(filled), 2), np.int64), np.ones((len(filled), 2), dtype=bool)
    numbers[:, 0], numbers[:, 1] = np.where(gaps > 1, 2 * gaps - 1, 0), 2 * flat[filled]
    kept[:, 0] = gaps > 0
    return numbers[kept], np.cumsum(kept)[2 * first] - kept[first, 0]


def _leb128(numbers: Counts, begins: Counts) -> list[bytes]:
    """The bytes of ZigZag numbers, in groups; begins: the first number of each group."""
    size = -(-int(numbers.max()).bit_length() // 7)
    parts = numbers[:, None] >> 7 * np.arange(size)
    used = parts > 0
    used[:, 0] = True
    more = np.zeros_like(used)
    more[:, :-1] = used[:, 1:]
    whole = ((parts & 0x7F) | (more << 7)).astype(np.uint8)[used].tobytes()
    before = np.cumsum(used.sum(axis=1))
    edges = [0, *before[begins[1:] - 1].tolist(), len(whole)]
    return [whole[begin:end] for begin, end in pairwise(edges)]
