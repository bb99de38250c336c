"""Comparison of two finished results: what became better, what worse."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from loadtest.analysis.comparison.comparer import (
    SIGNIFICANCE,
    Comparer,
    ComparisonRule,
    Difference,
    RoundSummaries,
)
from loadtest.analysis.pool_numbers import numbers_by_round
from loadtest.analysis.pool_runs import Measurements, PoolRuns
from loadtest.analysis.summarize import summarize_pool
from loadtest.analysis.units import ratio
from loadtest.model.errors import UsageError
from loadtest.model.summary import Comparison
from loadtest.runfile.comparability import refuse_incomparable

BEFORE, AFTER = "before", "after"


def compare_results(before: Measurements, after: Measurements) -> tuple[Comparison, ...]:
    """Each pool after compared with the same pool before, in every metric (Welch's intervals).

    Pools are the same by name, or if there is only one of each. Rounds of different times are
    independent, so they are not paired. Raises UsageError if the runs cannot be compared.
    """
    refuse_incomparable([*before.runs, *after.runs])
    rule = ComparisonRule.of(after.plan)
    return tuple(
        found for one, other in _pairs(before, after) for found in _compared(one, other, rule)
    )


def unmatched_pools(before: Measurements, after: Measurements) -> list[str]:
    """A sentence for each pool that is in one of the results only, and so is not compared."""
    matched = {id(pool) for pair in _pairs(before, after) for pool in pair}
    return [
        f"{pool.name} is only in the result {when}, so it is not compared"
        for when, result in ((BEFORE, before), (AFTER, after))
        for pool in result.pools
        if id(pool) not in matched
    ]


def invalid_pools(*results: Measurements) -> list[str]:
    """The names of pools whose measurement is not valid, each once."""
    pools = [pool for result in results for pool in result.pools]
    return list(dict.fromkeys(p.name for p in pools if not summarize_pool(p).valid))


def generator_drifts(before: Measurements, after: Measurements) -> list[str]:
    """A sentence for each pool with which a request cost the load generator more, or less.

    The load generator does the same for each request, so the machine may have changed.
    """
    margin = ComparisonRule.of(after.plan).margin
    return [text for pair in _pairs(before, after) for text in _drift(*pair, margin)]


def _drift(before: PoolRuns, after: PoolRuns, margin: float) -> Iterator[str]:
    low, high = Difference.between(_costs(after), _costs(before)).interval(SIGNIFICANCE) or (
        0.0,
        0.0,
    )
    if max(low, -high) <= math.log1p(margin):
        return
    times, *edges = (ratio(math.exp(value)) for value in ((low + high) / 2, low, high))
    was, does = ("slower", "costs") if low > 0 else ("faster", "saves")
    yield (
        f"{after.name}: the load generator spent {times} times the earlier CPU time on a "
        f"request (95 % interval {' to '.join(edges)}). The machine was {was}, or your change "
        f"{does} that time. Measure BEFORE again to find out"
    )


def _costs(pool: PoolRuns) -> list[float]:
    """The logarithm of the CPU time (ns) of a request, in each round with both."""
    counted = [round_.together.counters for round_ in pool.rounds]
    return [math.log(c["cpu"] / c["requests"]) for c in counted if c["cpu"] and c["requests"]]


def diff_exit_code(found: Sequence[Comparison], not_valid: Sequence[str]) -> int:
    """3 where anything became worse, 4 where the measurement is not valid, 5 undecided, else 0."""
    if not_valid:
        return 4
    if any(one.decision == "worse" for one in found):
        return 3
    primary = [one for one in found if one.role == "primary"]
    return 5 if any(one.decision == "undecided" for one in primary) else 0


def _pairs(before: Measurements, after: Measurements) -> list[tuple[PoolRuns, PoolRuns]]:
    if len(before.pools) == len(after.pools) == 1:
        return [(before.pools[0], after.pools[0])]
    there = {pool.name: pool for pool in after.pools}
    pairs = [(pool, there[pool.name]) for pool in before.pools if pool.name in there]
    if not pairs:
        names = [", ".join(pool.name for pool in result.pools) for result in (before, after)]
        raise UsageError(f"no pool is in both results: {names[0]} before, {names[1]} after")
    return pairs


def _compared(before: PoolRuns, after: PoolRuns, rule: ComparisonRule) -> list[Comparison]:
    rounds: dict[str, RoundSummaries] = {
        BEFORE: numbers_by_round(before),
        AFTER: numbers_by_round(after),
    }
    comparer = Comparer(rounds, rule, together=False)
    return [
        one.model_copy(update={"pool": after.name, "baseline": f"{before.name} before"})
        for one in comparer.in_all_metrics(AFTER, BEFORE)
    ]
