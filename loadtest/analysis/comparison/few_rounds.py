"""The tentative answer of a comparison with too few rounds for a decision."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.analysis.comparison import tie_breaks
from loadtest.analysis.comparison.comparer import FEWEST_ROUNDS
from loadtest.analysis.comparison.objective_check import meets_objectives, missed_objectives
from loadtest.analysis.comparison.recommendation import caveats, peak_of, throughput_of
from loadtest.analysis.findings import mostly_failing
from loadtest.analysis.findings.leaks import is_drained, leak_sentences
from loadtest.analysis.pool_settings import pool_arguments
from loadtest.analysis.units import listed, plural, rate
from loadtest.model.summary import PoolSummary


def too_few_rounds(pools: Sequence[PoolSummary], margin: float) -> list[str]:
    """The tentative answer, why it is only tentative, and what the rounds measured.

    margin: the share of the best throughput that the answer may lack.
    """
    candidates = [pool for pool in pools if pool.valid]
    working = [pool for pool in candidates if not mostly_failing.fails_mostly(pool)]
    able = [pool for pool in working if meets_objectives(pool) is not False]
    ranked = sorted(candidates, key=throughput_of, reverse=True)
    reached = [f"{pool.name} {rate(pool.throughput.per_second)}" for pool in ranked]
    return [
        *(_tentative(able, pools, margin) if able else missed_objectives(working)),
        f"With fewer than {FEWEST_ROUNDS} complete rounds, a difference between pools cannot be "
        "told from noise.",
        f"Requests per second so far: {listed(reached)}. Repeat with --rounds {FEWEST_ROUNDS}, or "
        "with --rounds auto, which runs as many rounds as needed.",
        *mostly_failing.not_recommended(candidates),
    ]


def _tentative(
    able: Sequence[PoolSummary], pools: Sequence[PoolSummary], margin: float
) -> list[str]:
    """The pool with the fewest connections of those close to the best throughput, and its flaws.

    Pools in which users starve are dropped. After a large leak there is no answer.
    """
    fair = [pool for pool in able if pool not in tie_breaks.starving(able)]
    best = max(fair, key=throughput_of)
    close = [pool for pool in fair if throughput_of(pool) >= (1 - margin) * throughput_of(best)]
    chosen = min(close, key=lambda pool: (peak_of(pool), -throughput_of(pool)))
    if is_drained(chosen):
        return leak_sentences(able)
    does = f"{rate(chosen.throughput.per_second)} requests succeeded per second"
    text = f"Tentative: {chosen.name} ({pool_arguments(chosen.pool)}), with which {does}"
    if chosen is not best:
        text += f", about as many as with {best.name}, which needs more connections"
    return [f"{text} in {plural(chosen.rounds, 'round')}.", *caveats(chosen, pools)]


def few_rounds_warning(rounds: int) -> str:
    """The warning before a comparison with this number of rounds; empty if it is large enough."""
    if rounds >= FEWEST_ROUNDS:
        return ""
    return (
        "Warning: the answer will be tentative, with exit code 5: fewer than "
        f"{FEWEST_ROUNDS} rounds (here {rounds}) cannot tell a difference between pools from noise"
    )
