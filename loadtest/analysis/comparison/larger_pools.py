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
    """The same pools, in whose findings the larger pools that were compared replace the advice.

    names: the pools that may be compared with each other. Of the larger ones that help, the
    smallest is named. If some are undecided and none helps or is useless, the advice stays.
    """
    rivals = [pool for pool in pools if pool.name in names and pool.valid]
    return [_corrected(pool, rivals, compare) if pool in rivals else pool for pool in pools]


def _corrected(pool: PoolSummary, rivals: Sequence[PoolSummary], compare: Comparer) -> PoolSummary:
    larger = [one for one in rivals if _size(one) > _size(pool)]
    judged = {one.name: _judged(compare, one, pool) for one in larger}
    useless = [name for name, decision in judged.items() if decision in ("worse", "equivalent")]
    helpful = [one for one in larger if judged[one.name] == "better"]
    if helpful:
        enough = min(helpful, key=_size)
        return _told(pool, _helped(compare, enough.name, pool.name), instead=True)
    if not useless:
        return pool
    pairs = (compare.pair(name, pool.name, THROUGHPUT_METRIC) for name in useless)
    return _told(pool, " ".join(map(_in_vain, pairs)), instead=False)


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


def _in_vain(found: Comparison) -> str:
    return (
        f"A larger pool was compared: {found.pool} serves {ratio(found.ratio)} times as many "
        "requests."
    )


def _helped(compare: Comparer, larger: str, pool: str) -> str:
    """What a larger pool does better: requests, or else their times."""
    throughput, times = (
        compare.pair(larger, pool, metric) for metric in (THROUGHPUT_METRIC, REQUEST_METRIC)
    )
    does = f"serves {ratio(throughput.ratio)} times as many requests"
    if _decision(compare, throughput) != "better":
        does = f"has {ratio(times.ratio)} times the p95 of requests"
    return f"A larger pool helps: {larger} {does}."


def _told(pool: PoolSummary, told: str, *, instead: bool) -> PoolSummary:
    """The pool with a fact in place of the advice to enlarge it; instead: of all other advice."""
    findings = tuple(_with_fact(one, told, instead=instead) for one in pool.findings)
    return pool.model_copy(update={"findings": findings})


def _with_fact(finding: Finding, told: str, *, instead: bool) -> Finding:
    if not finding.enlarge:
        return finding
    said = told if instead or not finding.otherwise else f"{told} {finding.otherwise}"
    return finding.model_copy(update={"message": finding.message.replace(finding.enlarge, said)})
