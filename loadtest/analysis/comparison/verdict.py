"""Which pool to use, if the runs decide it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from loadtest.analysis.comparison import tie_breaks
from loadtest.analysis.comparison.comparer import FEWEST_ROUNDS, THROUGHPUT_METRIC, Comparer
from loadtest.analysis.comparison.few_rounds import too_few_rounds
from loadtest.analysis.comparison.no_recommendation import (
    every_request_failed,
    most_requests_failed,
    nothing_to_compare,
    pools_left_out,
    repeated_runs,
)
from loadtest.analysis.comparison.objective_check import meets_objectives, missed_objectives
from loadtest.analysis.comparison.recommendation import (
    caveats,
    equally_good,
    lowest_throughput,
    met_objectives,
    peak_of,
    pool_flaws,
    setting_prices,
    settings_advice,
    throughput_of,
    worst_choice,
)
from loadtest.analysis.comparison.separate_runs import separate_runs
from loadtest.analysis.comparison.unmeasured_rivals import (
    unmeasured_rivals,
    unmeasured_sentences,
)
from loadtest.analysis.comparison.unused_pools import never_used_up, unused_sentences
from loadtest.analysis.findings import mostly_failing
from loadtest.analysis.findings.leaks import is_drained, leak_sentences
from loadtest.analysis.findings.trust_gate import ENDED_FOR_OTHERS
from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.sizing.tuning import SEARCH_EXIT_CODES
from loadtest.model.summary import Comparison, PoolSummary, Summary, Verdict


def verdict(measurements: Measurements, pools: Sequence[PoolSummary], compare: Comparer) -> Verdict:
    """The recommended pool and why.

    Candidates are the valid pools that meet the objective, if there is one, and of which most
    requests succeeded. The one with the highest mean throughput is compared with each other. Pools
    without a clear difference are equally good. Of these, pools are dropped in which users starve
    or more requests fail, which do clearly less than another one that is left, or, in an open
    loop, in which requests take longer. Of the rest, the pool with the fewest
    connections is recommended, then one without failures, then the baseline. Nothing is
    recommended with fewer than five rounds, without a successful request, after a large leak, if a
    pool that may be better could not be measured, or, without an objective, if the load used up
    none of the pools.
    """
    candidates = [pool for pool in pools if pool.valid]
    lines = _why_none(measurements, pools, candidates, compare)
    if lines:
        lines = [*lines, *separate_runs(measurements), *repeated_runs(measurements)]
        return Verdict(recommended=None, text="\n".join(lines))
    able = [
        pool
        for pool in candidates
        if meets_objectives(pool) and not mostly_failing.fails_mostly(pool)
    ]
    return _chosen(measurements, pools, able, compare)


def _chosen(
    measurements: Measurements,
    pools: Sequence[PoolSummary],
    able: Sequence[PoolSummary],
    compare: Comparer,
) -> Verdict:
    """The recommended pool of the able ones, unless it lost its connections to a leak."""
    baseline, candidates = measurements.baseline, [pool for pool in pools if pool.valid]
    best = max(able, key=throughput_of)
    rivals = {
        p.name: compare.pair(p.name, best.name, THROUGHPUT_METRIC) for p in able if p is not best
    }
    tied = [best, *(p for p in able if p is not best and _as_good(rivals[p.name]))]
    kept = tie_breaks.tie_broken(tied, compare)
    chosen = min(kept.remaining, key=partial(_order_of_choice, baseline))
    if none := _not_recommendable(chosen, able, pools, measurements):
        return none
    equal = [pool for pool in tied if pool not in kept.behind]
    others = [
        pool for pool in candidates if pool is not lowest_throughput(chosen, equal, candidates)
    ]
    lines = [
        settings_advice(chosen, baseline, candidates, compare),
        *met_objectives(chosen, candidates),
        *equally_good(chosen, kept.remaining, rivals),
        *tie_breaks.tie_break_sentences(chosen, kept),
        *worst_choice(chosen, equal, candidates, baseline),
        *mostly_failing.not_recommended(others),
        *caveats(chosen, pools),
        *repeated_runs(measurements),
        *setting_prices(chosen, measurements),
    ]
    return Verdict(recommended=chosen.name, text="\n".join(lines))


def _not_recommendable(
    chosen: PoolSummary,
    able: Sequence[PoolSummary],
    pools: Sequence[PoolSummary],
    measurements: Measurements,
) -> Verdict | None:
    """The verdict if the chosen pool leaks or rivals were not measured; None if it is fine."""
    if is_drained(chosen):
        return Verdict(recommended=None, text="\n".join(leak_sentences(able)))
    unknown = unmeasured_rivals(chosen, pools, measurements.plan.margin)
    if not unknown:
        return None
    lines = [
        *unmeasured_sentences(chosen, unknown, [pool for pool in pools if pool.valid]),
        *mostly_failing.not_recommended(pools),
        *repeated_runs(measurements),
    ]
    names = tuple(pool.name for pool in unknown)
    return Verdict(recommended=None, text="\n".join(lines), unmeasured=names)


def _order_of_choice(baseline: str, pool: PoolSummary) -> tuple[float, bool, bool, float]:
    """The order in which equally good pools are recommended, the first one first."""
    fails = tie_breaks.fails_often(pool)
    return peak_of(pool), fails, pool.name != baseline, -throughput_of(pool)


def _why_none(
    measurements: Measurements,
    pools: Sequence[PoolSummary],
    candidates: Sequence[PoolSummary],
    compare: Comparer,
) -> list[str]:
    """Why nothing can be recommended; empty if something can."""
    if lines := _failures(measurements, pools):
        return lines
    working = [pool for pool in candidates if not mostly_failing.fails_mostly(pool)]
    if len(candidates) < 2 or not working:
        return nothing_to_compare(pools, candidates)
    if not max(map(throughput_of, candidates)):
        return every_request_failed(measurements, candidates)
    if lines := _undecidable(measurements, pools, candidates, compare):
        return lines
    if not any(meets_objectives(pool) for pool in working):
        return [*missed_objectives(working), *mostly_failing.not_recommended(candidates)]
    return []


def _undecidable(
    measurements: Measurements,
    pools: Sequence[PoolSummary],
    candidates: Sequence[PoolSummary],
    compare: Comparer,
) -> list[str]:
    """Why these runs cannot tell the pools apart; empty if they can."""
    best = max(candidates, key=throughput_of)
    rivals = [
        compare.pair(p.name, best.name, THROUGHPUT_METRIC) for p in candidates if p is not best
    ]
    alike = never_used_up(candidates) and all(map(_as_good, rivals))
    if alike and not measurements.plan.objective:
        flaws = [line for pool in candidates for line in pool_flaws(pool)]
        return [*unused_sentences(candidates), *flaws, *pools_left_out(pools)]
    together = set.intersection(*(set(compare.rounds[pool.name]) for pool in candidates))
    if len(together) < FEWEST_ROUNDS:
        return too_few_rounds(pools, measurements.plan.margin)
    return []


def _failures(measurements: Measurements, pools: Sequence[PoolSummary]) -> list[str]:
    """Sentences about the failures, if all or most requests failed with every pool.

    A large leak comes first: it is the cause.
    """
    ended = [pool for pool in pools if pool.errors.rate is not None]
    leaking = [pool for pool in ended if is_drained(pool)]
    leak = leak_sentences(leaking) if leaking else []
    if ended and all(pool.errors.rate == 1 for pool in ended):
        return [*leak, *every_request_failed(measurements, ended)]
    if ended and all(mostly_failing.fails_mostly(pool) for pool in ended):
        return [*leak, *most_requests_failed(measurements, ended)]
    return []


def verdict_exit_code(summary: Summary) -> int:
    """The exit code of a summary: 0 fine, 3 the objective missed, 4 not valid, 5 undecided.

    An experiment that was stopped to protect the server is never valid, nor is one in which no
    request succeeded, or in which a pool that may be the best could not be measured.
    """
    protected = any(f.code in ENDED_FOR_OTHERS for pool in summary.pools for f in pool.findings)
    if protected or all(mostly_failing.never_succeeds(pool) for pool in summary.pools):
        return 4
    if summary.search:
        return SEARCH_EXIT_CODES[summary.search.outcome]
    valid = [pool for pool in summary.pools if pool.valid]
    if len(valid) < min(2, len(summary.pools)) or summary.verdict.unmeasured:
        return 4
    if summary.verdict.recommended:
        return 0
    if all(meets_objectives(pool) is False for pool in valid):
        return 3
    return 0 if len(summary.pools) == 1 and meets_objectives(valid[0]) else 5


def _as_good(rival: Comparison) -> bool:
    return rival.decision in ("equivalent", "undecided")
