"""The sentences of a verdict that recommends a pool: its gain, objectives and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtest.analysis.comparison import tie_breaks
from loadtest.analysis.comparison.comparer import THROUGHPUT_METRIC, Comparer
from loadtest.analysis.comparison.no_recommendation import pools_left_out
from loadtest.analysis.comparison.objective_check import meets_objectives, value_in_words
from loadtest.analysis.comparison.setting_costs import not_covered, setting_costs
from loadtest.analysis.comparison.unused_pools import never_used_up
from loadtest.analysis.findings import cross_checks, mostly_failing
from loadtest.analysis.findings.leaks import leak_flaw
from loadtest.analysis.findings.rules import NOTABLE_ERRORS
from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.pool_settings import pool_arguments
from loadtest.analysis.units import duration, listed, percent, plural, rate, ratio
from loadtest.model import error_kinds
from loadtest.model.summary import Comparison, PoolSummary


def throughput_of(pool: PoolSummary) -> float:
    """Successful requests per second; zero for a pool that measured nothing."""
    return pool.throughput.per_second or 0.0


def peak_of(pool: PoolSummary) -> float:
    """The most connections that a pool had at once; infinite if unknown."""
    # An unknown size must not win a tie.
    return float("inf") if pool.connections.peak is None else pool.connections.peak


def settings_advice(
    chosen: PoolSummary, baseline: str, candidates: Sequence[PoolSummary], compare: Comparer
) -> str:
    """What to set, and the gain over the baseline (or of the baseline over the next pool)."""
    does = f"{rate(chosen.throughput.per_second)} requests succeeded per second"
    if chosen.name == baseline:
        other = max(_others(chosen, candidates), key=throughput_of, default=None)
        text = (
            _times_as_many(compare.pair(chosen.name, other.name, THROUGHPUT_METRIC))
            if other
            else ""
        )
        return f"Keep {chosen.name} ({pool_arguments(chosen.pool)}): {does}{text}."
    text = f"Set {pool_arguments(chosen.pool)}: {does}"
    if any(pool.name == baseline for pool in candidates):
        text += _times_as_many(compare.pair(chosen.name, baseline, THROUGHPUT_METRIC))
    return text + "."


def _times_as_many(comparison: Comparison) -> str:
    """The ratio to the other pool; empty if the two share no rounds."""
    if comparison.ci95 is None:
        return ""
    low, high = (ratio(bound) for bound in comparison.ci95)
    times, other = f"{ratio(comparison.ratio)} times", comparison.baseline
    interval = f"95 % interval {low} to {high}"
    return {
        "equivalent": f", as many as with {other} ({times}, {interval})",
        "undecided": f", no clear difference from {other} ({times}, {interval})",
    }.get(comparison.decision, f", {times} as many as with {other} ({interval})")


def met_objectives(chosen: PoolSummary, candidates: Sequence[PoolSummary]) -> list[str]:
    """The objectives that the pool meets, and the pools that miss them or are undecided."""
    if not chosen.objectives:
        return []
    said = [f"{objective.text} ({value_in_words(objective)})" for objective in chosen.objectives]
    lines = [f"It meets {listed(said)}."]
    for met, words in ((False, "Pools that miss it"), (None, "Undecided for")):
        names = [pool.name for pool in candidates if meets_objectives(pool) is met]
        lines += [f"{words}: {listed(names)}."] if names else []
    return lines


def equally_good(
    chosen: PoolSummary, tied: Sequence[PoolSummary], rivals: Mapping[str, Comparison]
) -> list[str]:
    """The other pools that are equally good, and what would separate them."""
    others = [pool for pool in tied if pool is not chosen]
    if not others:
        return []
    reached = [
        f"{pool.name} ({rate(pool.throughput.per_second)} per second with {_connections(pool)}"
        f"{tie_breaks.failures_beside(pool, chosen)})"
        for pool in others
    ]
    text = f"Equally good within the noise: {listed(reached)}."
    if any(peak_of(pool) > peak_of(chosen) for pool in others):
        text += f" {chosen.name} needs only {_connections(chosen)}."
    rival = rivals.get(chosen.name)
    open_ = rival and rival.decision == "undecided" and not never_used_up(tied)
    if rival and open_ and rival.further_rounds:
        more = plural(rival.further_rounds, "more round")
        text += f" About {more} would separate it from {rival.baseline}."
    return [text]


def worst_choice(
    chosen: PoolSummary,
    tied: Sequence[PoolSummary],
    candidates: Sequence[PoolSummary],
    baseline: str,
) -> list[str]:
    """What the worst choice does and why, if it is clearly worse than the best.

    The share of the best's throughput is left out if the advice has compared these two already.
    """
    worst = lowest_throughput(chosen, tied, candidates)
    if worst is None:
        return []
    share = percent(throughput_of(worst) / throughput_of(chosen))
    does = f"{rate(worst.throughput.per_second)} per second"
    if worst.name != baseline:
        does += f", {share} of what {chosen.name} does"
    reasons = _reasons(worst, chosen)
    because = f"; {listed(reasons)}" if reasons else ""
    return [f"The worst choice is {worst.name}: {does}{because}."]


def lowest_throughput(
    chosen: PoolSummary, tied: Sequence[PoolSummary], candidates: Sequence[PoolSummary]
) -> PoolSummary | None:
    """The candidate with the lowest throughput, without those equal to the best."""
    names = {pool.name for pool in tied}
    behind = [pool for pool in _others(chosen, candidates) if pool.name not in names]
    return min(behind, key=throughput_of, default=None)


def _others(chosen: PoolSummary, candidates: Sequence[PoolSummary]) -> list[PoolSummary]:
    """The other candidates, without those that do more although most of their requests fail."""
    others = [pool for pool in candidates if pool is not chosen]
    most = throughput_of(chosen)
    return [p for p in others if not mostly_failing.fails_mostly(p) or throughput_of(p) < most]


def _reasons(worst: PoolSummary, chosen: PoolSummary) -> list[str]:
    """What is notably worse than in the recommended pool: errors, connections, waits, holds."""
    reasons = []
    rate_there, rate_here = worst.errors.rate or 0, chosen.errors.rate or 0
    if mostly_failing.fails_mostly(worst) or rate_there > max(NOTABLE_ERRORS, 2 * rate_here):
        reasons.append(mostly_failing.failures_in_words(worst))
    if peak_of(worst) > 2 * peak_of(chosen):
        reasons.append(f"it had {_connections(worst)} at once")
    for what, there, here in (
        (
            "users waited for a connection for",
            worst.checkout.wait_seconds,
            chosen.checkout.wait_seconds,
        ),
        ("a connection was held for", worst.hold_seconds, chosen.hold_seconds),
    ):
        if there.mean and there.mean > 2 * (here.mean or 0) and there.mean > 0.001:
            reasons.append(f"{what} {duration(there.mean)} on average")
    return reasons


def _connections(pool: PoolSummary) -> str:
    peak = pool.connections.peak
    return "an unknown number of connections" if peak is None else plural(peak, "connection")


def caveats(chosen: PoolSummary, pools: Sequence[PoolSummary]) -> list[str]:
    """What is wrong with the recommended pool or with the measurement."""
    lines = pool_flaws(chosen)
    largest = max(peak_of(pool) for pool in pools if pool.valid)
    if peak_of(chosen) == largest and any(f.code == "pool_bound" for f in chosen.findings):
        lines.append("The pool is still the bottleneck: a larger pool may serve more requests.")
    return lines + pools_left_out(pools)


def pool_flaws(pool: PoolSummary) -> list[str]:
    """Leaks, failed requests, starved users and possible deadlocks, which the times do not show.

    And whether the application is the limit, so that the pool is not.
    """
    lines = leak_flaw(pool)
    if any(finding.code == "application_bound" for finding in pool.findings):
        lines.append(
            f"With {pool.name} the application, not the pool, limits the throughput (see the "
            "finding application_bound)."
        )
    if any(f.code == "nested_checkout" and f.severity == "error" for f in pool.findings):
        lines.append(
            f"With {pool.name} the tasks can deadlock the pool (see the finding nested_checkout)."
        )
    if (pool.errors.rate or 0) > NOTABLE_ERRORS:
        most = error_kinds.label(mostly_failing.main_kind(pool.errors))
        share = percent(pool.errors.rate)
        lines.append(f"Even with {pool.name}, {share} of requests failed, most with {most}.")
    if (without := pool.unserved) > cross_checks.SOME_STARVED:
        lines.append(
            f"With {pool.name}, {percent(without)} of the users never got a connection (see the "
            "finding starvation): its times cover the other users only."
        )
    return lines


def setting_prices(chosen: PoolSummary, measurements: Measurements) -> list[str]:
    """What the settings of the pool cost, and what the verdict does not cover."""
    runs = next(pool for pool in measurements.pools if pool.name == chosen.name)
    return [*(cost.text for cost in setting_costs(runs)), not_covered(measurements, runs)]
