"""Levels over time, for pictures: the mean of the rounds of a pool, and their range."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np

from loadtest.analysis.columns import PERIODS, Columns, Ints, Levels, Mask
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.round import Round
from loadtest.model.interval import SECOND, SERVER

# A level is drawn only if more than this part of a second was measured.
LEAST_KNOWN_SHARE = 0.1
# Of the load generator's busiest process: each process has its own core and event loop.
GENERATOR_LEVELS = ("generator_cpu", "generator_lag")

# Counters of nanoseconds are levels, too: connections waiting for a row lock, CPUs in use.
_SERVER_LEVELS = {"row_lock_waiters": "row_lock_time", "server_cpu": "cpu"}
# Of clients: the CPU as a share of a core, and the requests that ended, per second.
_CLIENT_LEVELS = {"generator_cpu": "cpu", "requests": "requests"}

_WARMUP = PERIODS.index("warmup")


@dataclass(frozen=True)
class LevelsOverTime:
    """Mean levels of gauges in each second: the mean over the rounds, NaN if unknown.

    seconds: whole numbers, counted from the start of the measurement, negative in the warm-up.
    measured: the number of seconds measured from 0 on; later ones are the drain. stages, faults:
    begin, end and name of each. lowest, highest: the levels of the round that had the least and the
    most in that second. step: the seconds that each level covers. rounds: their number.
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
        """The mean of a level over the measured time."""
        end = max(round(self.measured), 1)
        inside = [0 <= second < end for second in self.seconds]
        known = self.levels[name][inside]
        return float(np.nanmean(known)) if np.isfinite(known).any() else 0.0

    def thinned(self, most: int) -> LevelsOverTime:
        """The same in a limited number of stretches (or one more); its levels are means."""
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


def _means(level: Levels, first: Ints) -> Levels:
    """The means of stretches that begin at these places; NaN where nothing is known."""
    known = np.isfinite(level)
    number = np.add.reduceat(known.astype(float), first)
    total = np.add.reduceat(np.where(known, level, 0.0), first)
    means: Levels = np.divide(total, number, out=np.full(len(first), math.nan), where=number > 0)
    return means


def levels_over_time(pool: PoolRuns, gauges: Sequence[str]) -> LevelsOverTime:
    """The timeline of some levels, without those that no round has."""
    told = [name for name in gauges if _SERVER_LEVELS.get(name) not in pool.lacks]
    rounds = [_levels(round_, told) for round_ in pool.rounds]
    known = {second for levels in rounds for at in levels.values() for second in at}
    seconds = range(min(known), max(known) + 1) if known else range(0)
    found = [name for name in gauges if any(name in levels for levels in rounds)]
    lowest, levels, highest = {}, {}, {}
    for name in found:
        lowest[name], levels[name], highest[name] = _over_rounds(rounds, name, seconds)
    lengths = [round_.seconds for round_ in pool.rounds]
    measured = float(np.median(lengths)) if lengths else 0.0
    return LevelsOverTime(
        *(seconds, levels, measured, _stages(pool), _faults(pool), lowest, highest),
        rounds=len(rounds),
    )


def _stages(pool: PoolRuns) -> list[tuple[float, float, str]]:
    ends = [0.0, *accumulate(stage.duration for stage in pool.stages)]
    return list(zip(ends, ends[1:], [stage.name for stage in pool.stages], strict=False))


def _faults(pool: PoolRuns) -> list[tuple[float, float, str]]:
    return [(f.at, f.end, f.kind) for f in pool.header.load.faults if not f.lasting]


def _over_rounds(
    rounds: Sequence[Mapping[str, Mapping[int, float]]], name: str, seconds: range
) -> tuple[Levels, Levels, Levels]:
    """The lowest, the mean and the highest level that rounds had in each second."""
    table = np.full((len(rounds), len(seconds)), math.nan)
    for row, levels in zip(table, rounds, strict=True):
        at = levels.get(name, {})
        row[np.array(list(at), dtype=np.int64) - seconds.start] = list(at.values())
    known = np.isfinite(table).any(axis=0)
    middle = np.full(len(seconds), math.nan)
    middle[known] = np.nanmean(table[:, known], axis=0)
    return np.fmin.reduce(table), middle, np.fmax.reduce(table)


def _levels(round_: Round, gauges: Sequence[str]) -> dict[str, dict[int, float]]:
    """Mean levels of a round by gauge and second, summed over its processes."""
    all_ = round_.data.columns, round_.data.application, round_.data.server
    processes = {name: rows.of(name) for rows in all_ for name in rows.present}
    levels: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    each = list(processes.values())
    for process, rows, begins in zip(processes, each, _begins(each), strict=True):
        for name in gauges:
            if name in GENERATOR_LEVELS and process != round_.busiest.process:
                continue
            integral, known = _integral(rows, process == SERVER, name)
            if known.any():
                for second, level in _resampled(rows, begins, integral, known):
                    levels[name][second] += level
    return levels


def _begins(processes: Sequence[Columns]) -> list[Levels]:
    """The start of the intervals of each process, in seconds after the start of the measurement.

    All processes began to measure at the same time, except those that joined more than a second
    after the first: clocks agree to the second only.
    """
    first = min((int(one.second[0]) for one in processes), default=0)
    begins = [np.array([*_since(one, first)]) for one in processes]
    starts = [
        float(next(iter(begun[one.period != _WARMUP]), math.inf))
        for one, begun in zip(processes, begins, strict=True)
    ]
    earliest = min(starts, default=math.inf)
    if earliest == math.inf:  # it ended in the warm-up
        earliest = max((begun[-1] + 1 for begun in begins), default=0.0)
    zeros = [start if start <= earliest + 1 else earliest for start in starts]
    return [begun - zero for begun, zero in zip(begins, zeros, strict=True)]


def _since(rows: Columns, first: int) -> Iterator[float]:
    """The start of each interval of a process, in seconds after a second of the clock.

    Intervals follow each other, except where a second is missing, for example because the database
    was away. The first one may end late: a worker that waits for the master's time cuts late.
    """
    begun = int(rows.second[0])
    length = int(rows.length[rows.second == begun].sum()) / SECOND
    later = rows.second[rows.second > begun].tolist()
    ended = min([begun + math.ceil(length), *later[:1]])
    end = max(ended - length, begun) - first
    for second, lasted in zip(rows.second.tolist(), rows.length.tolist(), strict=True):
        begin = max(end, float(second - first))
        yield begin
        end = begin + lasted / SECOND


def _resampled(
    rows: Columns, begins: Levels, integral: Levels, known: Mask
) -> list[tuple[int, float]]:
    """Mean levels in whole seconds after measuring began, of intervals of any length.

    Intervals are cut at UTC seconds, but a measurement may begin in between. A level counts as
    constant within an interval. Seconds without a known level are left out.
    """
    lengths = rows.length / SECOND
    ends = begins + lengths
    seconds = range(math.floor(begins[0]), math.ceil(ends[-1]))
    edges = [*seconds, math.ceil(ends[-1])]

    def within(amounts: Levels) -> Levels:
        risen = np.repeat(np.cumsum(np.concatenate(([0.0], amounts))), 2)[1:-1]
        return np.diff(np.interp(edges, np.column_stack([begins, ends]).ravel(), risen))

    seen = within(np.where(known, lengths, 0.0))
    levels = within(np.where(known, integral, 0.0) / SECOND) / np.maximum(seen, 1e-9)
    enough = seen >= LEAST_KNOWN_SHARE
    return [(s, float(x)) for s, x, long in zip(seconds, levels, enough, strict=True) if long]


def _integral(rows: Columns, server: bool, name: str) -> tuple[Levels, Mask]:
    """A level in each row times its length (ns), and where it is known."""
    if name in rows.gauges:
        return rows.gauges[name].integral.astype(float), rows.gauges[name].known
    if name == "generator_lag" and name in rows.times:
        count, total = rows.times[name]
        return total / np.maximum(count, 1) / 1e9 * rows.length, count > 0
    counted = (_SERVER_LEVELS if server else _CLIENT_LEVELS).get(name)
    column = rows.counter(counted or "") * (SECOND if name == "requests" else 1)
    # A counter that does not rise is not in the file; but every process uses some CPU.
    known = column > 0 if counted == "cpu" else np.full(len(rows), counted is not None)
    return column.astype(float), known
