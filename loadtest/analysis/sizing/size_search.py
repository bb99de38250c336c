"""The search for the smallest pool that meets an objective and loses no throughput.

A search is a function of the trials so far: each step is computed from all of them, so that a
better throughput seen late changes what counts as good, and a search can be read from its files.

Sizes between two trials are unknown. The search assumes that the throughput over the pool's size
has one hill, which may be a plateau: it rises while there are too few connections, and may fall
when too many of them slow the database down. Steps are ratios, not differences, so the number of
trials grows with the logarithm of the largest size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.model.experiment import MARGIN

ROUNDS, MOST_ROUNDS = 3, 5
# Stands for the present pool, which is no size but may get rounds, too.
PRESENT_POOL = 0
# The first step down from a good size: a first guess is hardly wrong by more.
_FIRST_STEP = 4 / 3
# Sizes further apart than this may have a hill between them.
_APART = 1.5


@dataclass(frozen=True)
class Trial:
    """The facts about a pool size.

    throughput: requests per second that succeeded. met: whether it meets the objective, None if
    undecided. sure: the same, with an interval of several rounds. steady: whether its rounds, if
    there are several, agree in the throughput. valid: whether its measurement is valid.
    """

    throughput: float
    met: bool | None = True
    sure: bool | None = True
    rounds: int = 1
    valid: bool = True
    steady: bool = True

    @property
    def able(self) -> bool:
        """Whether this size is usable."""
        return self.valid and self.met is True

    @property
    def certain(self) -> bool:
        """Whether more rounds would not change the result."""
        return self.sure is True and self.steady


Trials = Mapping[int, Trial]


@dataclass(frozen=True)
class SearchStep:
    """What to run next: a size, and the number of its round."""

    size: int
    round: int


def best_throughput(trials: Trials) -> float:
    """The highest throughput of the sizes that meet the objective; 0 if none does."""
    return max((trial.throughput for trial in trials.values() if trial.able), default=0.0)


def good_sizes(trials: Trials, margin: float = MARGIN) -> list[int]:
    """The sizes that meet the objective and lose no throughput, the smallest first.

    A throughput of at least (1 - margin) of the best one counts as no loss.
    """
    least = (1 - margin) * best_throughput(trials)
    return sorted(size for size, t in trials.items() if t.able and t.throughput >= least)


def smallest_good_size(trials: Trials, margin: float = MARGIN) -> int | None:
    """The smallest good size that was tried; None if there is none."""
    return next(iter(good_sizes(trials, margin)), None)


def worse_when_bigger(trials: Trials, margin: float = MARGIN) -> int | None:
    """The first size from which on no tried size is good, if it is above the answer.

    A size between two good ones that misses by a little is chance.
    """
    if smallest_good_size(trials, margin) is None:
        return None
    largest = max(good_sizes(trials, margin))
    return min((s for s, t in trials.items() if s > largest and t.valid), default=None)


def is_contradicted(trials: Trials, present: Trial | None, margin: float = MARGIN) -> bool:
    """Whether the present pool did better than the answer, by more than the margin.

    If so, the present pool or sizes like its own were disturbed, or they differ in more than size.
    """
    chosen = smallest_good_size(trials, margin)
    if chosen is None or present is None or not present.able:
        return False
    return trials[chosen].throughput < (1 - margin) * present.throughput


def next_step(
    trials: Trials, most: int, margin: float = MARGIN, present: Trial | None = None
) -> SearchStep | None:
    """What to run next; None if the search is finished.

    First come sizes that close in on the answer, then more rounds of the sizes that decide it. An
    answer that fails in them is dropped, and the search continues. present: the present pool; if it
    contradicts the answer, both get more rounds, and so does the next larger size.
    """
    size = next_size(trials, most, margin)
    if size is not None:
        return SearchStep(size, 1)
    wanted = _rounds_wanted(trials, margin)
    short = {s: trials[s].rounds for s, n in wanted.items() if trials[s].rounds < n}
    if not short and present and is_contradicted(trials, present, margin):
        short = _in_doubt(trials, present, margin)
    size = min(short, key=lambda s: (short[s], -s), default=None)
    return None if size is None else SearchStep(size, short[size] + 1)


def _in_doubt(trials: Trials, present: Trial, margin: float) -> dict[int, int]:
    """The rounds so far of sizes that may have been disturbed and can have more rounds."""
    if present.rounds < 2:
        return {PRESENT_POOL: present.rounds}
    sizes = sorted(size for size in trials if size >= (smallest_good_size(trials, margin) or 0))
    rounds = {size: trials[size].rounds for size in sizes[:2]}
    return {size: number for size, number in rounds.items() if number < MOST_ROUNDS}


def _rounds_wanted(trials: Trials, margin: float) -> dict[int, int]:
    """The rounds needed for the answer, the size below it, the best, and a worse one.

    The best of many single rounds is partly luck. That matters if a size below the answer is left
    out for its throughput alone. A larger size may have been unlucky.
    """
    chosen = smallest_good_size(trials, margin)
    if chosen is None:
        return {}
    wanted = {}
    if any(trial.able for size, trial in trials.items() if size < chosen):
        wanted[_peak(trials)] = 2
    worse = worse_when_bigger(trials, margin)
    if worse is not None:
        wanted[worse] = 2
    if chosen - 1 in trials and trials[chosen - 1].valid:
        wanted[chosen - 1] = ROUNDS
    return {**wanted, chosen: ROUNDS if trials[chosen].certain else MOST_ROUNDS}


def next_size(trials: Trials, most: int, margin: float = MARGIN) -> int | None:
    """The size to try next, at most `most`; None if the answer cannot come closer.

    trials: one at least. In turn: upwards by doubling until more connections bring nothing,
    around the best where the throughput falls on both sides, downwards to the smallest good one.
    """
    for step in (_upwards, _around_the_best, _downwards):
        size = step(trials, most, margin)
        if size is not None:
            return size
    return None


def most_runs(most: int) -> int:
    """The most runs that a search up to a size may take, including its pilot and rounds."""
    return 2 + 2 * math.ceil(math.log2(most + 1)) + 4 + 3 * MOST_ROUNDS


def _upwards(trials: Trials, most: int, margin: float) -> int | None:
    top = max(trials)
    if top >= most or _closed_above(trials, top, margin):
        return None
    return min(most, 2 * top)


def _closed_above(trials: Trials, top: int, margin: float) -> bool:
    """Whether more connections than the most tried cannot help.

    On a hill, a doubling that brought less than half of the margin is followed by less still.
    """
    able = {size: trial for size, trial in trials.items() if trial.able}
    if not able:
        return False
    if not trials[top].able:
        return True  # a smaller one meets the objective and this one does not
    enough = trials[top].throughput / (1 + margin / 2)
    return any(trial.throughput >= enough for size, trial in able.items() if 2 * size <= top)


def _around_the_best(trials: Trials, most: int, margin: float) -> int | None:
    """Between the best and its neighbours, where a hill may hide, if one side was seen to fall."""
    peak = _peak(trials)
    above = sorted(size for size in trials if size > peak)
    if not any(_falls(trials, peak, size, margin) for size in above):
        return None
    below = max((size for size in trials if size < peak), default=None)
    if above and _hides(peak, above[0]):
        return _between(peak, above[0])
    if below is not None and _hides(below, peak):
        return _between(below, peak)
    return None


def _peak(trials: Trials) -> int:
    believed = [size for size, t in trials.items() if t.able]
    believed = believed or [size for size, t in trials.items() if t.valid] or list(trials)
    return max(believed, key=lambda size: (trials[size].throughput, -size))


def _falls(trials: Trials, peak: int, size: int, margin: float) -> bool:
    other = trials[size]
    return other.valid and other.throughput < (1 - margin) * trials[peak].throughput


def _hides(low: int, high: int) -> bool:
    return high - low > 1 and high > _APART * low


def _between(low: int, high: int) -> int:
    """The size in the middle of two by ratio: neither of them."""
    return min(max(round(math.sqrt(low * high)), low + 1), high - 1)


def _downwards(trials: Trials, most: int, margin: float) -> int | None:
    smallest = smallest_good_size(trials, margin)
    if smallest is None:
        return _below_the_best(trials, margin)
    # An invalid size shows nothing about its neighbours.
    below = max((s for s, trial in trials.items() if s < smallest and trial.valid), default=0)
    if below:
        return _untried(trials, math.sqrt(below * smallest), below, smallest)
    return _untried(trials, smallest / _stride(good_sizes(trials, margin)), 0, smallest)


def _untried(trials: Trials, wanted: float, low: int, high: int) -> int | None:
    """The size between two that is nearest to the one wanted; None if all have been tried."""
    left = (size for size in range(low + 1, high) if size not in trials)
    return min(left, key=lambda size: abs(size - wanted), default=None)


def _stride(sizes: Sequence[int]) -> float:
    """By how much to go down: a small step first, then ever larger ones (Bentley and Yao, "An
    almost optimal algorithm for unbounded searching", 1976).
    """
    if len(sizes) < 3 and (len(sizes) == 1 or sizes[1] >= 2 * sizes[0]):
        return _FIRST_STEP
    return max(_FIRST_STEP, sizes[1] / sizes[0]) ** 2


def _below_the_best(trials: Trials, margin: float) -> int | None:
    """If no size meets the objective: smaller sizes, while the smallest is the best.

    Fewer connections can meet it only if more of them made the database slower.
    """
    smallest = min(trials)
    return smallest // 2 or None if _peak(trials) == smallest and len(trials) > 1 else None
