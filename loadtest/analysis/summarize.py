"""From runs to the summary: measurements, comparisons, findings and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from loadtest.analysis.comparison.comparer import Comparer, ComparisonRule, RoundSummaries
from loadtest.analysis.comparison.larger_pools import corrected_advice
from loadtest.analysis.comparison.objective_check import check_objective
from loadtest.analysis.comparison.unused_pools import never_used_up
from loadtest.analysis.comparison.variants import variants, verdicts
from loadtest.analysis.comparison.verdict import verdict
from loadtest.analysis.driven.application_numbers import driven_summary
from loadtest.analysis.findings import mostly_failing, rules
from loadtest.analysis.pool_numbers import numbers_by_round, pool_numbers
from loadtest.analysis.pool_runs import Measurements, PoolRuns, gather
from loadtest.analysis.sizing import tune_verdict
from loadtest.analysis.sizing.process_search import ProcessSearch
from loadtest.analysis.sizing.process_verdict import process_verdict
from loadtest.analysis.sizing.tuning import Tuning
from loadtest.model.objective import Bound, parse_objective
from loadtest.model.search_result import Search
from loadtest.model.summary import Comparison, PoolSummary, Summary, Verdict
from loadtest.runfile.reader import Run


def summarize_runs(runs: Sequence[Run], experiment: Mapping[str, Any] | None = None) -> Summary:
    """The summary of some runs; experiment: the content of experiment.json, if there is one."""
    return summarize(gather(runs, experiment))


def summarize(measurements: Measurements) -> Summary:
    """The summary of what was measured. Invalid pools are shown, but not compared."""
    plan = measurements.plan
    bounds, rule = parse_objective(plan.objective), ComparisonRule.of(plan)
    rounds = {pool.name: numbers_by_round(pool) for pool in measurements.pools}
    pools = tuple(_summary(one, rounds[one.name], bounds, rule) for one in measurements.pools)
    if plan.search:
        return _of_a_search(measurements, pools)
    valid = {pool.name for pool in pools if pool.valid}
    parts = variants(measurements)
    compare = Comparer(rounds, rule)
    comparisons = [c for part in parts for c in _comparisons(part.measurements, valid, compare)]
    for part in parts:
        names = [pool.name for pool in part.measurements.pools]
        pools = tuple(corrected_advice(pools, names, compare))
    if never_used_up([pool for pool in pools if pool.valid]):
        # More rounds would not decide.
        comparisons = [c.model_copy(update={"further_rounds": None}) for c in comparisons]
    return Summary(
        **_about(measurements),
        pools=pools,
        comparisons=tuple(comparisons),
        verdict=verdicts(parts, pools, compare)
        if len(parts) > 1
        else verdict(measurements, pools, compare),
    )


def _of_a_search(measurements: Measurements, pools: tuple[PoolSummary, ...]) -> Summary:
    """Its verdict is the size that it found; sizes tried once are not compared with each other."""
    verdict_, result = _answer(measurements, pools)
    about = _about(measurements)
    return Summary(**about, pools=pools, comparisons=(), verdict=verdict_, search=result)


def _answer(measurements: Measurements, pools: Sequence[PoolSummary]) -> tuple[Verdict, Search]:
    """The verdict of a search and its result."""
    plan = measurements.plan.search
    if plan and plan.by_processes:
        search = ProcessSearch.of(measurements, pools)
        return process_verdict(search), search.value
    tuning = Tuning.of(measurements, pools)
    return tune_verdict.tune_verdict(tuning), tuning.value


def _about(measurements: Measurements) -> dict[str, Any]:
    """What ran, and where."""
    experiment = {**measurements.experiment, "problems": list(measurements.problems)}
    return {"experiment": experiment, "environment": _environment(measurements)}


def summarize_pool(pool: PoolRuns) -> PoolSummary:
    """One pool's numbers, all rounds together, and their findings."""
    return _summary(pool, numbers_by_round(pool), (), ComparisonRule())


def _summary(
    pool: PoolRuns, rounds: RoundSummaries, bounds: Sequence[Bound], rule: ComparisonRule
) -> PoolSummary:
    doubts, together, each = rules.doubts(pool), pool_numbers(pool), list(rounds.values())
    objectives = tuple(check_objective(bound, together, each, rule.level) for bound in bounds)
    if doubts or mostly_failing.without_success(pool):
        # Its times are not valid, or those of failures.
        met = None if doubts else False
        objectives = tuple(one.model_copy(update={"met": met}) for one in objectives)
    return together.model_copy(
        update={
            "findings": doubts + rules.remarks(pool, doubts),
            "application": driven_summary(pool),
            "valid": not doubts,
            "objectives": objectives,
        }
    )


def _comparisons(
    measurements: Measurements, valid: set[str], compare: Comparer
) -> tuple[Comparison, ...]:
    names = [pool.name for pool in measurements.pools if pool.name in valid]
    return (
        compare.against_baseline(names, measurements.baseline)
        if measurements.baseline in names
        else ()
    )


def _environment(measurements: Measurements) -> dict[str, Any]:
    """The environment of the first run, and all commands."""
    runs = measurements.runs
    told = runs[0].told if runs else {}
    parts = {part: told.get(part, {}) for part in ("versions", "host", "server")}
    return {
        **parts,
        "server_versions": _different(run.header.server.version for run in runs),
        "started": told.get("started"),
        "commands": _different(run.header.command for run in runs),
    }


def _different(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
