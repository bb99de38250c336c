"""Comparison of pools, round by round."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loadtest.analysis.statistics.estimate import mean
from loadtest.analysis.statistics.students_t import student_cdf, student_quantile
from loadtest.model.experiment import AUTO, MARGIN
from loadtest.model.field_types import Interval95
from loadtest.model.objective import more_is_better, parse_objective, value_at
from loadtest.model.summary import Comparison, Decision, PoolSummary
from loadtest.runfile.schema import ExperimentPlan

RoundSummaries = Mapping[tuple[str, int], PoolSummary]
"""What a pool did in each round alone."""

THROUGHPUT_METRIC = "throughput.per_second"
REQUEST_METRIC = "request_seconds.p95"
ERROR_METRIC = "errors.rate"
# What users of a pool notice; the primary metric is left out.
COMPARED_METRICS = (
    THROUGHPUT_METRIC,
    "checkout.wait_seconds.p50",
    "checkout.wait_seconds.p95",
    "checkout.wait_seconds.p99",
    REQUEST_METRIC,
    ERROR_METRIC,
    "connections.peak",
)
FEWEST_ROUNDS = 5
# A larger number of further rounds is not reported.
MOST_FURTHER_ROUNDS = 1000
SIGNIFICANCE = 0.05
# For each of four analyses of the same data; all together then err in 5 % of cases (Pocock,
# "Group sequential methods in the design and analysis of clinical trials", 1977: 2.361 standard
# errors).
SIGNIFICANCE_OF_FOUR_ANALYSES = 0.0182
# Smaller times and shares count as equal: no user notices them, and zero has no logarithm.
_UNNOTICED = 1e-4
_LEAST_SPREAD = 1e-12


@dataclass(frozen=True)
class ComparisonRule:
    """How pools are compared: the primary metric, the margin of equality, the rate of errors."""

    primary: str = THROUGHPUT_METRIC
    margin: float = MARGIN
    level: float = SIGNIFICANCE

    @classmethod
    def of(cls, plan: ExperimentPlan) -> ComparisonRule:
        """The rule of an experiment: its objective's metric decides, else the throughput."""
        bounds = parse_objective(plan.objective)
        return cls(
            bounds[0].path if bounds else THROUGHPUT_METRIC,
            plan.margin,
            SIGNIFICANCE_OF_FOUR_ANALYSES if plan.rounds == AUTO else SIGNIFICANCE,
        )


@dataclass(frozen=True)
class Difference:
    """A mean difference of logarithms, its standard error and degrees of freedom, from rounds."""

    rounds: int
    mean: float | None = None
    error: float = math.inf
    freedom: float = 1.0

    @classmethod
    def paired(cls, differences: Sequence[float]) -> Difference:
        """The difference of paired rounds (Student's)."""
        rounds = len(differences)
        if rounds < 2:
            return cls(rounds, mean(differences))
        return cls(rounds, mean(differences), _error(differences), rounds - 1)

    @classmethod
    def between(cls, one: Sequence[float], other: Sequence[float]) -> Difference:
        """The difference of independent rounds (Welch's)."""
        rounds = min(len(one), len(other))
        if not rounds:
            return cls(0)
        middle = float(np.mean(one) - np.mean(other))
        if rounds < 2:
            return cls(rounds, middle)
        squares = _error(one) ** 2, _error(other) ** 2
        apart = squares[0] ** 2 / (len(one) - 1) + squares[1] ** 2 / (len(other) - 1)
        return cls(rounds, middle, math.sqrt(sum(squares)), sum(squares) ** 2 / apart)

    def interval(self, level: float) -> Interval95 | None:
        """The interval that misses the true difference at the rate `level`; None if unknown."""
        if self.mean is None or math.isinf(self.error):
            return None
        half = student_quantile(self.freedom, 1 - level / 2) * self.error
        return self.mean - half, self.mean + half

    def chances(self, margin: float) -> tuple[float, float]:
        """The p-values of two hypotheses: the pools are equal, and they differ by the margin.

        The second is twice the larger of two one-sided tests (Schuirmann, "A comparison of the two
        one-sided tests procedure and the power approach", 1987): it is at most a level where the
        interval of that level lies within the margin. With too few rounds both are 1.
        """
        if self.mean is None or self.rounds < FEWEST_ROUNDS:
            return 1.0, 1.0
        different, alike = -abs(self.mean), abs(self.mean) - math.log1p(margin)
        return 2 * self._tail(different), min(1.0, 2 * self._tail(alike))

    def further_rounds(self, rule: ComparisonRule) -> int | None:
        """How many more rounds like these would decide; None if there are very many."""
        if self.mean is None or math.isinf(self.error):
            return FEWEST_ROUNDS - self.rounds
        middle, edge = abs(self.mean), math.log1p(rule.margin)

        def decides(rounds: int) -> bool:
            freedom = self.freedom * (rounds - 1) / (self.rounds - 1)
            error = self.error * math.sqrt(self.rounds / rounds)
            half = student_quantile(freedom, 1 - rule.level / 2) * error
            return middle > half or middle + half < edge

        # The interval shrinks with every round: if a number of rounds decides, all larger ones do.
        possible = range(max(self.rounds + 1, FEWEST_ROUNDS), MOST_FURTHER_ROUNDS + 1)
        place = bisect_left(possible, True, key=decides)
        return possible[place] - self.rounds if place < len(possible) else None

    def _tail(self, distance: float) -> float:
        """The chance of a mean that lies this far below zero."""
        return student_cdf(self.freedom, distance / self.error)


def _error(values: Sequence[float]) -> float:
    return max(float(np.std(values, ddof=1)), _LEAST_SPREAD) / math.sqrt(len(values))


@dataclass(frozen=True)
class Comparer:
    """Compares pools by their rounds.

    The round is the unit: what slows a whole round down slows all pools in it. Ratios are of
    geometric means. together: whether the pools took turns in each round. Then the rounds that
    both have are paired; otherwise the rounds are independent.
    """

    rounds: Mapping[str, RoundSummaries]
    rule: ComparisonRule = ComparisonRule()
    together: bool = True

    def against_baseline(self, pools: Sequence[str], baseline: str) -> tuple[Comparison, ...]:
        """Every pool compared with the baseline in every metric, the primary one first."""
        others = [name for name in pools if name != baseline]
        return tuple(c for name in others for c in self.in_all_metrics(name, baseline))

    def pair(self, pool: str, baseline: str, path: str = "") -> Comparison:
        """The comparison of two pools in one metric, by default the primary one."""
        path = path or self.rule.primary
        difference = self._difference(pool, baseline, path)
        chances = difference.chances(self.rule.margin)
        return self._comparison(pool, baseline, path, difference, chances)

    def in_all_metrics(self, pool: str, baseline: str) -> list[Comparison]:
        """The comparisons in all metrics, the secondary ones corrected for their number."""
        paths = [path for path in COMPARED_METRICS if path != self.rule.primary]
        differences = [self._difference(pool, baseline, path) for path in paths]
        chances = [difference.chances(self.rule.margin) for difference in differences]
        corrected = zip(*(holm(kind) for kind in zip(*chances, strict=True)), strict=True)
        others = [
            self._comparison(pool, baseline, path, one, chance, len(paths))
            for path, one, chance in zip(paths, differences, corrected, strict=True)
        ]
        return [self.pair(pool, baseline), *others]

    def _difference(self, pool: str, baseline: str, path: str) -> Difference:
        one, other = (_logarithms(self.rounds[name], path) for name in (pool, baseline))
        if not self.together:
            return Difference.between(list(one.values()), list(other.values()))
        common = sorted(one.keys() & other.keys())
        return Difference.paired([one[key] - other[key] for key in common])

    def _bounded(self, pool: str, path: str) -> bool:
        """Whether some rounds have only a lower bound: those are not compared."""
        return any(value_at(round_, path)[1] for round_ in self.rounds[pool].values())

    def _comparison(
        self,
        pool: str,
        baseline: str,
        path: str,
        difference: Difference,
        chances: tuple[float, float],
        others: int = 0,
    ) -> Comparison:
        """others: the number of secondary metrics; 0 for the primary one."""
        interval = difference.interval(self.rule.level)
        decision = decide(
            difference.mean or 0.0, *chances, self.rule.level, more_is_better=more_is_better(path)
        )
        bounded = self._bounded(pool, path), self._bounded(baseline, path)
        if _hangs_on(decision, *bounded):
            decision = "undecided"
        # For the strictest step of the correction: fewer may be enough.
        rule = replace(self.rule, level=self.rule.level / max(others, 1))
        # More rounds like these would have lower bounds, too.
        undecided = decision == "undecided" and not any(bounded)
        return Comparison(
            pool=pool,
            baseline=baseline,
            metric=path,
            role="secondary" if others else "primary",
            rounds=difference.rounds,
            ratio=None if difference.mean is None else _exp(difference.mean),
            ci95=(_exp(interval[0]), _exp(interval[1])) if interval else None,
            decision=decision,
            further_rounds=difference.further_rounds(rule) if undecided else None,
        )


def decide(
    difference: float, different: float, equivalent: float, level: float, *, more_is_better: bool
) -> Decision:
    """The decision that follows from two p-values.

    "equivalent" comes first: a difference that is certainly below the margin is not worth a change
    of settings. Then "better" or "worse" if chance hardly explains it; otherwise "undecided".
    """
    if equivalent <= level:
        return "equivalent"
    if different <= level:
        return "better" if (difference > 0) == more_is_better else "worse"
    return "undecided"


def _hangs_on(decision: Decision, pool: bool, baseline: bool) -> bool:
    """Whether the rounds that were left out, all with longer times, may explain a decision."""
    return {"better": pool, "worse": baseline, "equivalent": pool or baseline}.get(decision, False)


def holm(chances: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm, "A simple sequentially rejective multiple test
    procedure", 1979): each is at most the level only if those below it are.
    """
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    corrected, largest = [0.0] * len(chances), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[i]))
        corrected[i] = largest
    return corrected


def _logarithms(rounds: RoundSummaries, path: str) -> dict[tuple[str, int], float]:
    """The logarithm of a value in each round that knows it exactly."""
    values = {key: _positive(pool, path) for key, pool in rounds.items()}
    return {key: math.log(value) for key, value in values.items() if value is not None}


def _positive(pool: PoolSummary, path: str) -> float | None:
    value, bounded = value_at(pool, path)
    if value is None or bounded:
        return None
    least = _UNNOTICED
    if path.endswith("per_second"):
        least = 0.5 / pool.seconds  # half a request
    elif path.startswith("connections."):
        least = 0.5
    return max(value, least)


def _exp(exponent: float) -> float:
    # Two wildly different rounds can have an interval that no float holds.
    return math.exp(max(-700.0, min(700.0, exponent)))
