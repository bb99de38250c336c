"""Pools against one another, round by round."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loadtest.analysis.censoring import describe
from loadtest.analysis.estimate import interval95, mean
from loadtest.analysis.measured import PoolRuns, Round
from loadtest.analysis.values import Comparison, Decision, Interval95

# A difference that is surely smaller than this is none that anybody should act on.
MARGIN = 0.05
FEWEST_ROUNDS = 2


@dataclass(frozen=True)
class Metric:
    """Something that rounds are compared in: a path into a pool of summary.json, and its value."""

    path: str
    more_is_better: bool
    value: Callable[[Round], float | None]


def _throughput(round_: Round) -> float:
    # Half a request where none succeeded, so that there is a logarithm.
    return max(round_.successes, 0.5) / round_.seconds


def _wait_p95(round_: Round) -> float | None:
    wait = describe(round_.times("wait", cut_off_by_waits=True))
    if wait.p95 is None or "p95" in wait.at_least:
        return None
    # Shorter ones than a microsecond are recorded as none.
    return max(wait.p95, 1e-6)


THROUGHPUT = Metric("throughput.per_second", more_is_better=True, value=_throughput)
WAIT_P95 = Metric("checkout.wait_seconds.p95", more_is_better=False, value=_wait_p95)
METRICS = (THROUGHPUT, WAIT_P95)


def comparisons(pools: Sequence[PoolRuns], baseline: PoolRuns) -> tuple[Comparison, ...]:
    """Every pool against the baseline in every metric."""
    others = [pool for pool in pools if pool.name != baseline.name]
    return tuple(compare(pool, baseline, metric) for pool in others for metric in METRICS)


def compare(pool: PoolRuns, baseline: PoolRuns, metric: Metric) -> Comparison:
    """A pool against another by the rounds that both have: the ratio of geometric means.

    The interval is Student's of the differences of logarithms, one a round: what slows a whole
    round down, slows both. With fewer than two common rounds there is none.
    """
    differences = _log_differences(_values(pool, metric), _values(baseline, metric))
    middle, interval = mean(differences), interval95(differences)
    ci95 = (_exp(interval[0]), _exp(interval[1])) if interval else None
    return Comparison(
        pool=pool.name,
        baseline=baseline.name,
        metric=metric.path,
        ratio=None if middle is None else _exp(middle),
        ci95=ci95,
        decision=decide(ci95, metric.more_is_better),
    )


def decide(ci95: Interval95 | None, more_is_better: bool) -> Decision:
    """What an interval of a ratio says.

    "equivalent" comes first: a difference that is certain but surely below the margin is not worth
    a change of settings. Then "better" or "worse" if the interval excludes one; else "undecided".
    """
    if ci95 is None:
        return "undecided"
    low, high = ci95
    if low >= 1 / (1 + MARGIN) and high <= 1 + MARGIN:
        return "equivalent"
    if low > 1:
        return "better" if more_is_better else "worse"
    if high < 1:
        return "worse" if more_is_better else "better"
    return "undecided"


def _values(pool: PoolRuns, metric: Metric) -> Mapping[tuple[str, int], float]:
    values = ((round_.key, metric.value(round_)) for round_ in pool.rounds)
    return {key: value for key, value in values if value is not None}


def _log_differences(
    one: Mapping[tuple[str, int], float], other: Mapping[tuple[str, int], float]
) -> list[float]:
    return [math.log(one[key] / other[key]) for key in sorted(one.keys() & other.keys())]


def _exp(exponent: float) -> float:
    # Two wildly different rounds can have an interval that no float holds.
    return math.exp(max(-700.0, min(700.0, exponent)))
