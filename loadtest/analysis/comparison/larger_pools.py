"""Findings that advise a larger pool, corrected by the larger pools of the same experiment."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from loadtest.analysis.comparison.comparer import (
    FEWEST_ROUNDS,
    REQUEST_METRIC,
    THROUGHPUT_METRIC,
    Comparer,
)
from loadtest.analysis.units import ratio
from loadtest.model.objective import more_is_better
from loadtest.model.summary import Comparison, Finding, PoolSummary


def corrected_advice(
    pools: Sequence[PoolSummary], names: Collection[str], compare: Comparer
) -> list[PoolSummary]:
    """The same pools, in whose findings a larger pool that did not help replaces its advice.

    names: the pools that may be compared with each other. If any larger one helps, or is undecided,
    the advice stays.
    """
    rivals = [pool for pool in pools if pool.name in names and pool.valid]
    return [_corrected(pool, rivals, compare) if pool in rivals else pool for pool in pools]


def _corrected(pool: PoolSummary, rivals: Sequence[PoolSummary], compare: Comparer) -> PoolSummary:
    larger = [one for one in rivals if _size(one) > _size(pool)]
    judged = {one.name: _judged(compare, one, pool) for one in larger}
    useless = [name for name, decision in judged.items() if decision in ("worse", "equivalent")]
    if "better" in judged.values() or not useless:
        return pool
    told = " ".join(_told(compare.pair(name, pool.name, THROUGHPUT_METRIC)) for name in useless)
    findings = tuple(_with_fact(one, told) for one in pool.findings)
    return pool.model_copy(update={"findings": findings})


def _size(pool: PoolSummary) -> float:
    most = pool.pool.most_connections
    return math.inf if most is None else most


def _judged(compare: Comparer, larger: PoolSummary, pool: PoolSummary) -> str:
    """Whether the larger pool is better: its throughput decides, else its request times."""
    throughput, times = (
        _decision(compare, compare.pair(larger.name, pool.name, metric))
        for metric in (THROUGHPUT_METRIC, REQUEST_METRIC)
    )
    return "better" if throughput == "equivalent" and times == "better" else throughput


def _decision(compare: Comparer, found: Comparison) -> str:
    """The decision; with too few rounds for one, that of the ratio alone."""
    if found.rounds >= FEWEST_ROUNDS or found.ratio is None:
        return found.decision
    if abs(math.log(found.ratio)) <= math.log1p(compare.rule.margin):
        return "equivalent"
    return "better" if (found.ratio > 1) == more_is_better(found.metric) else "worse"


def _told(found: Comparison) -> str:
    return (
        f"A larger pool was compared: {found.pool} serves {ratio(found.ratio)} times as many "
        "requests."
    )


def _with_fact(finding: Finding, told: str) -> Finding:
    if not finding.enlarge:
        return finding
    said = " ".join(part for part in (told, finding.otherwise) if part)
    return finding.model_copy(update={"message": finding.message.replace(finding.enlarge, said)})
