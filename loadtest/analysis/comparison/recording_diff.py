"""Two recordings of an application compared: what became better, what worse, at similar load.

Units are blocks of time. Each block after the change is paired with the block before it that had
the most similar load. This is an observation: the pairs have the same load, but nothing else is
known to be the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loadtest.analysis.comparison.comparer import (
    ComparisonRule,
    Difference,
    decide,
    holm,
)
from loadtest.analysis.recordings.read_recording import Recording
from loadtest.analysis.recordings.recorded_pool import RecordedPool
from loadtest.analysis.statistics.correlated import likeness, variance_factor
from loadtest.analysis.units import count, listed, plural, rate
from loadtest.model.distribution import Distribution
from loadtest.model.errors import UsageError
from loadtest.model.interval import ENDED_CHECKOUTS, SECOND, Gauge, Interval
from loadtest.model.summary import Comparison

# Seconds of a block: as long as both recordings have enough blocks.
BLOCK_LENGTHS = (60, 30, 10)
ENOUGH_BLOCKS = 10
# A shorter block, as a share of its length, is left out: the ends of a recording, and gaps.
WHOLE_BLOCK = 0.9
# Loads that differ by a smaller factor are similar.
SIMILAR_LOAD = 1.2
WAIT_METRIC, TIMEOUT_METRIC = "checkout.wait_seconds.mean", "checkout.timeout_rate"
# Smaller values count as equal: no user notices them, and zero has no logarithm.
_UNNOTICED = {
    WAIT_METRIC: 1e-4,
    "checkout.wait_seconds.p95": 1e-4,
    TIMEOUT_METRIC: 1e-4,
    "hold_seconds.mean": 1e-4,
    "connections.in_use": 0.01,
    "connections.peak": 0.5,
}


@dataclass(frozen=True)
class LoadedBlock:
    """A block of time of a recorded pool: its load (checkouts per second) and its values."""

    second: int
    load: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class PairedBlocks:
    """Blocks of the same pool before and after a change, paired by their load.

    seconds: the length of a block. before, after: all blocks. pairs: in the order of time after the
    change.
    """

    names: tuple[str, str]
    seconds: int
    before: Sequence[LoadedBlock]
    after: Sequence[LoadedBlock]
    pairs: Sequence[tuple[LoadedBlock, LoadedBlock]]

    def means(self, metric: str) -> tuple[float, float]:
        """The mean of a value over the paired blocks, before and after."""
        before = float(np.mean([one.values[metric] for one, _ in self.pairs]))
        return before, float(np.mean([one.values[metric] for _, one in self.pairs]))

    @property
    def words(self) -> str:
        """The pairs in one sentence, or why there are none."""
        name, loads = self.names[1], [one.load for pair in self.pairs for one in pair]
        if not loads:
            return (
                f"{name}: no blocks of {self.seconds} s have a similar load in both recordings: "
                f"{_loads(self.before)} before, {_loads(self.after)} after."
            )
        return (
            f"{name}: {plural(len(self.pairs), 'pair')} of blocks of {self.seconds} s with "
            f"{rate(min(loads))} to {rate(max(loads))} checkouts per second, of "
            f"{count(len(self.before))} blocks before and {count(len(self.after))} after."
        )


def paired_recordings(before: Recording, after: Recording) -> list[PairedBlocks]:
    """The blocks of each pool that is in both recordings, of some perhaps without a pair.

    Raises UsageError if they have no pool in common, or if no pool has a pair.
    """
    found = [_paired(one, other) for one, other in common_pools(before, after)]
    if not any(one.pairs for one in found):
        raise UsageError(*(one.words for one in found))
    return found


def common_pools(before: Recording, after: Recording) -> list[tuple[RecordedPool, RecordedPool]]:
    """The pools that are in both recordings; raises UsageError if there are none."""
    there = {pool.name: pool for pool in after.pools}
    pairs = [(pool, there[pool.name]) for pool in before.pools if pool.name in there]
    if pairs:
        return pairs
    if before.application == after.application and len(before.pools) == len(after.pools) == 1:
        return [(before.pools[0], after.pools[0])]
    names = [listed([pool.name for pool in one.pools]) for one in (before, after)]
    raise UsageError(
        f"these are recordings of different applications: {before.application} with the pool "
        f"{names[0]}, and {after.application} with {names[1]}"
    )


def _paired(before: RecordedPool, after: RecordedPool) -> PairedBlocks:
    seconds = _block_seconds(before, after)
    was, now = (_loaded(pool, seconds) for pool in (before, after))
    return PairedBlocks((before.name, after.name), seconds, was, now, _pairs(was, now))


def _loads(blocks: Sequence[LoadedBlock]) -> str:
    if not blocks:
        return "no whole block"
    loads = [block.load for block in blocks]
    return f"{rate(min(loads))} to {rate(max(loads))} checkouts per second"


def _block_seconds(*pools: RecordedPool) -> int:
    """The longest blocks of which both recordings have enough, else the shortest."""
    shortest = max(pool.block_seconds for pool in pools)
    lasted = min(pool.seconds for pool in pools)
    fitting = [length for length in BLOCK_LENGTHS if length % shortest == 0] or [shortest]
    return next((one for one in fitting if lasted >= ENOUGH_BLOCKS * one), fitting[-1])


def _loaded(pool: RecordedPool, seconds: int) -> list[LoadedBlock]:
    blocks: dict[int, Interval] = {}
    for part in pool.blocks:
        begin = part.second - part.second % seconds
        blocks.setdefault(begin, Interval(begin, length=0)).absorb(part)
    return [
        LoadedBlock(begin, ended * SECOND / block.length, _values(block, ended))
        for begin, block in sorted(blocks.items())
        if block.length >= WHOLE_BLOCK * seconds * SECOND and (ended := _ended(block))
    ]


def _ended(block: Interval) -> int:
    return sum(block.counters[name] for name in ENDED_CHECKOUTS)


def _values(block: Interval, ended: int) -> dict[str, float]:
    waits, holds = (block.histograms.get(name, Distribution()) for name in ("wait", "hold"))
    in_use, is_open = (block.gauges.get(name, Gauge()) for name in ("in_use", "open"))
    return {
        WAIT_METRIC: waits.mean_seconds or 0.0,
        "checkout.wait_seconds.p95": waits.percentile_seconds(95) or 0.0,
        TIMEOUT_METRIC: block.counters["timeouts"] / ended,
        "hold_seconds.mean": holds.mean_seconds or 0.0,
        "connections.in_use": in_use.integral / block.length,
        "connections.peak": float(is_open.max),
    }


def _pairs(
    before: Sequence[LoadedBlock], after: Sequence[LoadedBlock]
) -> list[tuple[LoadedBlock, LoadedBlock]]:
    """Each block in one pair at most, the most similar loads first."""
    loads = [np.log([block.load for block in side]) for side in (before, after)]
    apart = np.abs(loads[0][:, None] - loads[1][None, :])
    order = np.argsort(apart, axis=None, kind="stable")
    found: dict[int, int] = {}
    taken: set[int] = set()
    for place in order[: int((apart <= math.log(SIMILAR_LOAD)).sum())].tolist():
        one, other = divmod(place, len(after))
        if one not in taken and other not in found:
            taken.add(one)
            found[other] = one
    return [(before[found[n]], after[n]) for n in sorted(found)]


def compare_blocks(paired: PairedBlocks, rule: ComparisonRule) -> list[Comparison]:
    """The pool after the change compared with the same pool before it, the wait first.

    The wait decides; the decisions on the other values are corrected for their number.
    """
    differences = {name: _difference(paired, name) for name in _UNNOTICED}
    chances = {name: one.chances(rule.margin) for name, one in differences.items()}
    others = [name for name in differences if name != WAIT_METRIC]
    kinds = zip(*(chances[name] for name in others), strict=True)
    corrected = zip(*(holm(kind) for kind in kinds), strict=True)
    chances |= dict(zip(others, corrected, strict=True))
    return [
        _comparison(paired, name, one, chances[name], rule) for name, one in differences.items()
    ]


def _difference(paired: PairedBlocks, name: str) -> Difference:
    """The difference of the logarithms, with the larger error of blocks that resemble neighbours.

    The pairs are in the order of the time after the change. In that order a slow drift before it is
    mixed, so blocks count as much alike as in the order in which they resemble each other more.
    """
    least = _UNNOTICED[name]
    in_order = sorted(paired.pairs, key=lambda pair: pair[0].second)
    apart, as_before = (
        [
            math.log(max(after.values[name], least) / max(before.values[name], least))
            for before, after in pairs
        ]
        for pairs in (paired.pairs, in_order)
    )
    found = Difference.paired(apart)
    if len(apart) <= 2:
        return found
    lost = variance_factor(max(likeness(apart), likeness(as_before)))
    freedom = max(1.0, len(apart) / lost - 1)
    return replace(found, error=found.error * math.sqrt(lost), freedom=freedom)


def _comparison(
    paired: PairedBlocks,
    name: str,
    difference: Difference,
    chances: tuple[float, float],
    rule: ComparisonRule,
) -> Comparison:
    before, after = paired.names
    interval = difference.interval(rule.level)
    return Comparison(
        pool=after,
        baseline=f"{before} before",
        metric=name,
        role="primary" if name == WAIT_METRIC else "secondary",
        rounds=difference.rounds,
        ratio=math.exp(difference.mean or 0.0),
        ci95=(math.exp(interval[0]), math.exp(interval[1])) if interval else None,
        decision=decide(difference.mean or 0.0, *chances, rule.level, more_is_better=False),
    )
