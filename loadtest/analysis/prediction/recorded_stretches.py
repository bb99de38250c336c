"""The stretches of a recording: some seconds whose holds, waits and processes belong together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.analysis.columns import Mask
from loadtest.analysis.prediction.replay import Numbers, Times
from loadtest.analysis.prediction.samples import samples
from loadtest.analysis.statistics.correlated import likeness, variance_factor
from loadtest.model.distribution import Distribution
from loadtest.model.interval import Interval

# A stretch has at least this many seconds and holds.
STRETCH_SECONDS, HOLDS_OF_STRETCH = 5, 20
# Equally likely times of a stretch.
NUMBER_OF_TIMES = 200
# A stretch stands for those whose load differs by a smaller factor, and that are not further away.
SIMILAR_STRETCHES, MOST_STRETCHES_AWAY = 1.5, 60
# With fewer degrees of freedom an interval would have no end in practice.
LEAST_FREEDOM = 3


@dataclass(frozen=True, eq=False)
class RecordedStretch:
    """A stretch from a UTC second on: its holds, and the waits of pools that were not full."""

    begin: int
    holds: Distribution
    undisturbed: Distribution


def stretches(
    blocks: Sequence[Interval], changes: Sequence[int], full: Mask
) -> list[RecordedStretch]:
    """The stretches of successive blocks, at least one.

    changes: the UTC seconds from which on other processes run; a stretch begins there. full:
    whether a pool was full in each block.
    """
    found: list[RecordedStretch] = []
    for begins, block, disturbed in zip(_begins(blocks, changes), blocks, full, strict=True):
        if begins:
            found.append(RecordedStretch(block.second, Distribution(), Distribution()))
        found[-1].holds.add(block.histograms.get("hold", Distribution()))
        if not disturbed:
            found[-1].undisturbed.add(block.histograms.get("wait", Distribution()))
    if (
        len(found) > 1
        and found[-1].holds.count < HOLDS_OF_STRETCH
        and found[-1].begin not in changes
    ):
        last = found.pop()
        found[-1].holds.add(last.holds)
        found[-1].undisturbed.add(last.undisturbed)
    return found


def _begins(blocks: Sequence[Interval], changes: Sequence[int]) -> Iterator[bool]:
    """Whether a stretch begins with each block."""
    begin, holds, before = -math.inf, HOLDS_OF_STRETCH, 0
    for block in blocks:
        changed = any(before < change <= block.second for change in changes)
        new = changed or (block.second - begin >= STRETCH_SECONDS and holds >= HOLDS_OF_STRETCH)
        if new:
            begin, holds = block.second, 0
        holds += block.histograms.get("hold", Distribution()).count
        before = block.second
        yield new


def equally_likely_rows(times: Sequence[Distribution]) -> Times:
    """A row of equally likely times (s) for each; of all together where one has too few."""
    together = sum(times, Distribution())
    return np.array(
        [
            samples(one if one.count >= HOLDS_OF_STRETCH else together, NUMBER_OF_TIMES)
            or (0.0,) * NUMBER_OF_TIMES
            for one in times
        ]
    )


def near(loads: Times, processes: Numbers) -> Mask:
    """Which stretches can stand for each: of similar load and with the same processes.

    loads: checkouts per second. processes: equal numbers for the same processes.
    """
    number = np.arange(len(loads))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.log(loads)[:, None] - np.log(loads)[None, :]
        similar = np.abs(factor) <= math.log(SIMILAR_STRETCHES)
    close = np.abs(number[:, None] - number[None, :]) <= MOST_STRETCHES_AWAY
    found: Mask = similar & close & (processes[:, None] == processes[None, :])
    return found | np.eye(len(loads), dtype=bool)


@dataclass(frozen=True)
class HoldError:
    """How well a recording knows its mean hold, as shares of it.

    error: the standard error. unseen: the part of the difference between two times that drawing
    stretches does not show, with its degrees of freedom.
    """

    error: float
    unseen: float
    freedom: int


def hold_error(holds: Times, similar: Mask, number: int) -> HoldError:
    """The error of the mean hold, from the means of the stretches.

    holds: rows of the stretches. similar: those that can stand for each; what they explain is no
    error. number: of holds. A replay draws stretches independently, for the recording and for the
    other time. Changes that are slower than a stretch are missing then.
    """
    means, many = np.maximum(holds.mean(axis=1), 1e-9), similar.sum(axis=1)
    apart = means / (similar @ means / many) - 1
    drawn = float(np.mean(apart**2)) / len(apart)
    # Each of `many` values is nearer to their mean than to the true one.
    free = apart * np.sqrt(many / np.maximum(many - 1, 1))
    known = float(np.mean(free**2)) / len(free) * variance_factor(likeness(free.tolist()))
    within = float(np.mean((holds / means[:, None]).var(axis=1))) / max(number, 1)
    square = max(known, within)
    unseen = 2 * max(square - drawn, 0.0)
    return HoldError(math.sqrt(square), math.sqrt(unseen), max(len(apart) - 1, LEAST_FREEDOM))
