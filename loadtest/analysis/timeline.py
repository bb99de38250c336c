"""Levels over time, for pictures: the typical round of a pool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loadtest.analysis.measured import PoolRuns, Round

Levels = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Timeline:
    """Mean levels of gauges in each second: the median over the rounds.

    seconds: whole numbers from the first measured second on, so the warm-up's are negative.
    measured: how many seconds from 0 on were measured; the rest is the drain.
    """

    seconds: Sequence[int]
    levels: Mapping[str, Levels]
    measured: int


def timeline(pool: PoolRuns, gauges: Sequence[str]) -> Timeline:
    """The timeline of some gauges; those that no round knows are left out."""
    rounds = [_levels(round_) for round_ in pool.rounds]
    seconds = sorted({second for levels in rounds for second in levels})
    found = [
        name for name in gauges if any(name in at for levels in rounds for at in levels.values())
    ]
    levels = {
        name: np.array([_median(rounds, second, name) for second in seconds]) for name in found
    }
    spans = [_span(round_) for round_ in pool.rounds]
    return Timeline(seconds, levels, int(np.median(spans)) if spans else 0)


def _median(rounds: Sequence[Mapping[int, Mapping[str, float]]], second: int, name: str) -> float:
    return float(np.median([at[second].get(name, 0.0) for at in rounds if second in at]))


def _levels(round_: Round) -> dict[int, dict[str, float]]:
    """Mean levels by second, summed over the processes; parts of a cut second count by length."""
    integrals: dict[tuple[int, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    lengths: dict[tuple[int, str], int] = defaultdict(int)
    start = min(interval.second for interval in round_.run.measured())
    for interval in round_.run.intervals:
        place = interval.second - start, interval.process
        lengths[place] += interval.length
        for name, gauge in interval.gauges.items():
            integrals[place][name] += gauge.integral
    levels: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for place, length in lengths.items():
        for name, integral in integrals[place].items():
            levels[place[0]][name] += integral / max(length, 1)
    return levels


def _span(round_: Round) -> int:
    seconds = [interval.second for interval in round_.run.measured()]
    return max(seconds) - min(seconds) + 1
