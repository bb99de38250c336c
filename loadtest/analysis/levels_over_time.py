"""Levels over time, for pictures: the typical round of a pool, and how far the rounds spread."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from loadtest.analysis.pool_runs import SECOND, PoolRuns, Round
from loadtest.model.fault import Fault
from loadtest.model.interval import SERVER, Interval

# A second of which less was seen than this has no level worth drawing.
LEAST_KNOWN_SHARE = 0.1
# Of the load generator's busiest process alone: each has a core and an event loop of its own.
GENERATOR_LEVELS = ("generator_cpu", "generator_lag")

# Counters of nanoseconds are levels, too: sessions waiting for a row lock, processors in use.
_SERVER_LEVELS = {"row_lock_waiters": "row_lock_time", "server_cpu": "cpu"}

Levels = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LevelsOverTime:
    """Mean levels of gauges in each second: the median over the rounds, NaN where none knew it.

    seconds: whole numbers, counted from where measuring began; the warm-up's are negative.
    measured: how many seconds from 0 on were measured; what is later is the drain. stages, faults:
    begin, end and name of each. lowest, highest: the levels of the round that had the least and the
    most in that second. step: how many seconds each level is of. rounds: how many there were.
    """

    seconds: Sequence[int]
    levels: Mapping[str, Levels]
    measured: float
    stages: Sequence[tuple[float, float, str]] = ()
    faults: Sequence[tuple[float, float, str]] = ()
    lowest: Mapping[str, Levels] = field(default_factory=dict)
    highest: Mapping[str, Levels] = field(default_factory=dict)
    step: int = 1
    rounds: int = 1

    @property
    def edges(self) -> list[int]:
        """Where each level begins and the last one ends (s)."""
        return [*self.seconds, self.seconds[-1] + self.step]

    def typical(self, name: str) -> float:
        """The median of a level over the measured time."""
        end = max(round(self.measured), 1)
        inside = [0 <= second < end for second in self.seconds]
        known = self.levels[name][inside]
        return float(np.nanmedian(known)) if np.isfinite(known).any() else 0.0

    def thinned(self, most: int) -> LevelsOverTime:
        """The same in at most so many stretches, or one more; its levels are means."""
        step = -(-len(self.seconds) // most)
        if step <= 1:
            return self
        _, first = np.unique(np.floor_divide(self.seconds, step), return_index=True)
        return replace(
            self,
            seconds=[self.seconds[index] for index in first],
            levels={n: _means(level, first) for n, level in self.levels.items()},
            lowest={n: np.fmin.reduceat(level, first) for n, level in self.lowest.items()},
            highest={n: np.fmax.reduceat(level, first) for n, level in self.highest.items()},
            step=step,
        )


def _means(level: Levels, first: npt.NDArray[np.int_]) -> Levels:
    """The means of stretches that begin at these places; NaN where nothing is known."""
    known = np.isfinite(level)
    number = np.add.reduceat(known.astype(float), first)
    total = np.add.reduceat(np.where(known, level, 0.0), first)
    means: Levels = np.divide(total, number, out=np.full(len(first), math.nan), where=number > 0)
    return means


def levels_over_time(pool: PoolRuns, gauges: Sequence[str]) -> LevelsOverTime:
    """The timeline of some levels; those that no round knows are left out."""
    told = [name for name in gauges if _SERVER_LEVELS.get(name) not in pool.lacks]
    rounds = [_levels(round_, told) for round_ in pool.rounds]
    known = {second for levels in rounds for at in levels.values() for second in at}
    seconds = range(min(known), max(known) + 1) if known else []
    found = [name for name in gauges if any(name in levels for levels in rounds)]
    spread = {
        name: np.array([_over_rounds(rounds, name, second) for second in seconds]) for name in found
    }
    lowest, levels, highest = ({n: s[:, column] for n, s in spread.items()} for column in range(3))
    lengths = [round_.seconds for round_ in pool.rounds]
    measured = float(np.median(lengths)) if lengths else 0.0
    return LevelsOverTime(
        *(seconds, levels, measured, _stages(pool), _faults(pool), lowest, highest),
        rounds=len(rounds),
    )


def _stages(pool: PoolRuns) -> list[tuple[float, float, str]]:
    ends = [0.0, *accumulate(stage["duration"] for stage in pool.stages)]
    names = [str(stage["name"]) for stage in pool.stages]
    return list(zip(ends, ends[1:], names, strict=False))


def _faults(pool: PoolRuns) -> list[tuple[float, float, str]]:
    faults = map(Fault.model_validate, pool.header.get("load", {}).get("faults") or ())
    return [(f.at, f.end, f.kind) for f in faults if not f.lasting]


def _over_rounds(
    rounds: Sequence[Mapping[str, Mapping[int, float]]], name: str, second: int
) -> tuple[float, float, float]:
    """The lowest, the middle and the highest level that rounds had in a second."""
    found = [levels[name][second] for levels in rounds if second in levels.get(name, {})]
    return (min(found), float(np.median(found)), max(found)) if found else (math.nan,) * 3


def _levels(round_: Round, gauges: Sequence[str]) -> dict[str, dict[int, float]]:
    """Mean levels of a round by gauge and second, summed over its processes."""
    processes: dict[str, list[Interval]] = defaultdict(list)
    for interval in [*round_.run.intervals, *round_.run.server]:
        processes[interval.process].append(interval)
    levels: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for (process, intervals), begins in zip(
        processes.items(), _begins(list(processes.values())), strict=True
    ):
        for name in gauges:
            if name in GENERATOR_LEVELS and process != round_.busiest.process:
                continue
            if any(_integral(interval, name) is not None for interval in intervals):
                for second, level in _resampled(intervals, begins, name):
                    levels[name][second] += level
    return levels


def _begins(processes: Sequence[Sequence[Interval]]) -> list[Levels]:
    """When the intervals of each process began, in seconds after measuring did.

    All began to measure at the same time but those that joined more than a second after the first:
    clocks differ, and are right to the second only.
    """
    first = min((one[0].second for one in processes), default=0)
    begins = [np.array([*_since(one, first)]) for one in processes]
    starts = [
        next((at for i, at in zip(one, begun, strict=True) if i.period != "warmup"), math.inf)
        for one, begun in zip(processes, begins, strict=True)
    ]
    earliest = min(starts, default=math.inf)
    if earliest == math.inf:  # it ended in the warm-up
        earliest = max((begun[-1] + 1 for begun in begins), default=0.0)
    zeros = [start if start <= earliest + 1 else earliest for start in starts]
    return [begun - zero for begun, zero in zip(begins, zeros, strict=True)]


def _since(intervals: Sequence[Interval], first: int) -> Iterator[float]:
    """When each interval of a process began, in seconds after one of the clock.

    One follows another, but where a second is missing: a database that was away was not asked. The
    first second ends on time, or with a later one: a worker that asks for the time cuts late.
    """
    begun = intervals[0].second
    length = sum(interval.length for interval in intervals if interval.second == begun) / SECOND
    later = [interval.second for interval in intervals if interval.second > begun]
    ended = min([begun + math.ceil(length), *later[:1]])
    end = max(ended - length, begun) - first
    for interval in intervals:
        begin = max(end, float(interval.second - first))
        yield begin
        end = begin + interval.length / SECOND


def _resampled(
    intervals: Sequence[Interval], begins: Levels, gauge: str
) -> list[tuple[int, float]]:
    """Mean levels in whole seconds after measuring began, of intervals of any length.

    Intervals are cut at UTC seconds, which measuring does not begin with. In between, a level is
    taken to be its mean. Seconds in which none was known are left out.
    """
    integrals = [_integral(interval, gauge) for interval in intervals]
    lengths = [interval.length / SECOND for interval in intervals]
    ends = begins + lengths
    seconds = range(math.floor(begins[0]), math.ceil(ends[-1]))
    edges = [*seconds, math.ceil(ends[-1])]

    def within(amounts: Sequence[float]) -> Levels:
        risen = np.repeat(np.cumsum([0.0, *amounts]), 2)[1:-1]
        return np.diff(np.interp(edges, np.column_stack([begins, ends]).ravel(), risen))

    known = within([0.0 if x is None else s for s, x in zip(lengths, integrals, strict=True)])
    levels = within([(x or 0) / SECOND for x in integrals]) / np.maximum(known, 1e-9)
    seen = known >= LEAST_KNOWN_SHARE
    return [(s, float(x)) for s, x, long in zip(seconds, levels, seen, strict=True) if long]


def _integral(interval: Interval, name: str) -> float | None:
    """A level of an interval times its length (ns); None if it does not know it."""
    if name in interval.gauges:
        return interval.gauges[name].integral
    if name == "generator_cpu":
        return interval.counters.get("cpu")
    if name == "generator_lag" and name in interval.histograms:
        return (interval.histograms[name].mean_seconds or 0.0) * interval.length
    if interval.process == SERVER and name in _SERVER_LEVELS:
        known = _SERVER_LEVELS[name]
        # What does not rise is not in the file; but there is no server that never uses a processor.
        return interval.counters.get(known) if known == "cpu" else interval.counters[known]
    return None
