"""Which pool to use, if the runs can tell, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtest.analysis import equals, kinds
from loadtest.analysis.comparison import FEWEST_ROUNDS, THROUGHPUT, Comparer
from loadtest.analysis.findings import NOTABLE_ERRORS
from loadtest.analysis.leaks import drained, leaking
from loadtest.analysis.measured import Measurements
from loadtest.analysis.meeting import found, meets, missed, words
from loadtest.analysis.settings import arguments
from loadtest.analysis.units import count, duration, listed, percent, plural, rate, ratio
from loadtest.analysis.values import Comparison, PoolSummary, Summary, Verdict


def verdict(measurements: Measurements, pools: Sequence[PoolSummary], compare: Comparer) -> Verdict:
    """The recommended pool and why.

    Candidates are the valid pools that meet the objective, if there is one. The one with the
    highest mean throughput is compared with each other directly; those that cannot be told from it
    are as good, unless more requests fail or, in an open loop, they are slower. Of these the one
    with the fewest connections is recommended, the baseline if it needs no more than any. There is
    no answer without five rounds of each, where no request succeeded, or where the best pool lost
    most of its connections.
    """
    ended = [pool for pool in pools if pool.errors.rate is not None]
    if ended and all(pool.errors.rate == 1 for pool in ended):
        return Verdict(recommended=None, text="\n".join(_all_failed(measurements, ended)))
    candidates = [pool for pool in pools if pool.valid]
    if len(candidates) < 2:
        return Verdict(recommended=None, text="\n".join(_nothing_to_compare(pools, candidates)))
    if not max(map(_throughput, candidates)):
        return Verdict(recommended=None, text="\n".join(_all_failed(measurements, candidates)))
    if min(pool.rounds for pool in candidates) < FEWEST_ROUNDS:
        return Verdict(recommended=None, text="\n".join(_cannot_tell(candidates)))
    able = [pool for pool in candidates if meets(pool)]
    if not able:
        return Verdict(recommended=None, text="\n".join(missed(candidates)))
    return _chosen(measurements.baseline, pools, able, compare)


def _chosen(
    baseline: str, pools: Sequence[PoolSummary], able: Sequence[PoolSummary], compare: Comparer
) -> Verdict:
    """One of those that may be recommended, unless leaks decided."""
    candidates = [pool for pool in pools if pool.valid]
    best = max(able, key=_throughput)
    rivals = {p.name: compare.one(p.name, best.name, THROUGHPUT) for p in able if p is not best}
    tied = [best, *(p for p in able if p is not best and _as_good(rivals[p.name]))]
    failing = equals.failing(tied, compare)
    tied = [pool for pool in tied if pool not in failing]
    slow = equals.slow(tied, compare)
    tied = [pool for pool in tied if pool not in slow]
    chosen = min(tied, key=lambda p: (_peak(p), p.name != baseline, -_throughput(p)))
    if drained(chosen):
        return Verdict(recommended=None, text="\n".join(leaking(able)))
    lines = [
        _advice(chosen, baseline, candidates, compare),
        *_kept(chosen, candidates),
        *_ties(chosen, tied, rivals),
        *equals.but(chosen, failing, slow),
        *_worst(chosen, [*tied, *failing, *slow], candidates, baseline),
        *_caveats(chosen, pools),
    ]
    return Verdict(recommended=chosen.name, text="\n".join(lines))


def exit_code(summary: Summary) -> int:
    """The exit code of a summary: 0 fine, 3 the objective missed, 4 not valid, 5 undecided."""
    valid = [pool for pool in summary.pools if pool.valid]
    if len(valid) < min(2, len(summary.pools)):
        return 4
    if summary.verdict.recommended:
        return 0
    if all(meets(pool) is False for pool in valid):
        return 3
    return 0 if len(summary.pools) == 1 and meets(valid[0]) else 5


def _as_good(rival: Comparison) -> bool:
    return rival.decision in ("equivalent", "undecided")


def _throughput(pool: PoolSummary) -> float:
    return pool.throughput.per_second or 0.0


def _peak(pool: PoolSummary) -> float:
    # Of unknown size is no argument for a pool.
    return float("inf") if pool.connections.peak is None else pool.connections.peak


def _advice(
    chosen: PoolSummary, baseline: str, candidates: Sequence[PoolSummary], compare: Comparer
) -> str:
    """What to set, and how much that brings over the baseline (or the baseline over the next)."""
    does = f"{rate(chosen.throughput.per_second)} requests succeeded per second"
    if chosen.name == baseline:
        others = [pool for pool in candidates if pool is not chosen]
        other = max(others, key=_throughput).name
        text = _times_as_many(compare.one(chosen.name, other, THROUGHPUT))
        return f"Keep {chosen.name} ({arguments(chosen.pool)}): {does}{text}."
    text = f"Set {arguments(chosen.pool)}: {does}"
    if any(pool.name == baseline for pool in candidates):
        text += _times_as_many(compare.one(chosen.name, baseline, THROUGHPUT))
    return text + "."


def _times_as_many(comparison: Comparison) -> str:
    """How much more that is than with the other pool; nothing where the two share no rounds."""
    if comparison.ci95 is None:
        return ""
    low, high = (ratio(bound) for bound in comparison.ci95)
    times, other = f"{ratio(comparison.ratio)} times", comparison.baseline
    interval = f"95 % interval {low} to {high}"
    return {
        "equivalent": f", as many as with {other} ({times}, {interval})",
        "undecided": f", which cannot be told from {other} ({times}, {interval})",
    }.get(comparison.decision, f", {times} as many as with {other} ({interval})")


def _kept(chosen: PoolSummary, candidates: Sequence[PoolSummary]) -> list[str]:
    """What it keeps to, with how much room; and who does not, or not surely."""
    if not chosen.objectives:
        return []
    said = [f"{objective.text} ({found(objective)})" for objective in chosen.objectives]
    lines = [f"It keeps to {listed(said)}."]
    for met, verb in ((False, "do not"), (None, "may or may not")):
        names = [pool.name for pool in candidates if meets(pool) is met]
        lines += [f"These {verb}: {listed(names)}."] if names else []
    return lines


def _ties(
    chosen: PoolSummary, tied: Sequence[PoolSummary], rivals: Mapping[str, Comparison]
) -> list[str]:
    others = [pool for pool in tied if pool is not chosen]
    if not others:
        return []
    reached = [
        f"{pool.name} ({rate(pool.throughput.per_second)} per second with {_connections(pool)}"
        f"{equals.also_fails(pool, chosen)})"
        for pool in others
    ]
    text = f"As good within the noise: {listed(reached)}."
    if any(_peak(pool) > _peak(chosen) for pool in others):
        text += f" {chosen.name} gets by with {_connections(chosen)}."
    rival = rivals.get(chosen.name)
    if rival and rival.decision == "undecided" and rival.further_rounds:
        more = plural(rival.further_rounds, "more round")
        text += f" About {more} would tell it from {rival.baseline}."
    return [text]


def _worst(
    chosen: PoolSummary,
    tied: Sequence[PoolSummary],
    candidates: Sequence[PoolSummary],
    baseline: str,
) -> list[str]:
    """What the worst choice does and why, if one is told apart from the best.

    How much less than the best that is, unless the advice has compared these two already.
    """
    names = {pool.name for pool in tied}
    behind = [pool for pool in candidates if pool.name not in names]
    if not behind:
        return []
    worst = min(behind, key=_throughput)
    share = percent(_throughput(worst) / _throughput(chosen))
    does = f"{rate(worst.throughput.per_second)} per second"
    if worst.name != baseline:
        does += f", {share} of what {chosen.name} does"
    reasons = _reasons(worst, chosen)
    because = f"; {listed(reasons)}" if reasons else ""
    return [f"The worst choice is {worst.name}: {does}{because}."]


def _reasons(worst: PoolSummary, chosen: PoolSummary) -> list[str]:
    """What is notably worse than in the recommended pool: errors, connections, waits, holds."""
    reasons = []
    rate_there, rate_here = worst.errors.rate or 0, chosen.errors.rate or 0
    if rate_there > max(NOTABLE_ERRORS, 2 * rate_here):
        kind = max(worst.errors.by_kind, key=lambda k: worst.errors.by_kind[k], default="other")
        share = f"{percent(rate_there)} of its requests failed"
        reasons.append(f"{share}, most with {kinds.label(kind)}")
    if _peak(worst) > 2 * _peak(chosen):
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


def _caveats(chosen: PoolSummary, pools: Sequence[PoolSummary]) -> list[str]:
    lines = []
    if (chosen.errors.rate or 0) > NOTABLE_ERRORS:
        lines.append(f"Even with {chosen.name} {percent(chosen.errors.rate)} of requests failed.")
    return lines + _left_out(pools)


def _left_out(pools: Sequence[PoolSummary]) -> list[str]:
    invalid = [pool.name for pool in pools if not pool.valid]
    if not invalid:
        return []
    if len(pools) == 1:
        return [f"The measurement of {invalid[0]} is not valid (see the findings)."]
    are = "is" if len(invalid) == 1 else "are"
    return [f"{listed(invalid)} {are} left out: the measurement is not valid (see the findings)."]


def _nothing_to_compare(
    pools: Sequence[PoolSummary], candidates: Sequence[PoolSummary]
) -> list[str]:
    lines = [
        f"{pool.name} ({arguments(pool.pool)}) did {rate(pool.throughput.per_second)} requests per "
        f"second; {percent(pool.errors.rate) if pool.errors.rate else 'none'} failed."
        for pool in candidates
    ]
    if len(pools) == 1 and candidates:
        alone = "One pool alone says nothing about others: compare it with some."
        return [*lines, *words(candidates[0]), alone]
    if len(pools) > 1:
        lines.append(
            f"Nothing can be recommended: {count(len(candidates))} of "
            f"{plural(len(pools), 'pool')} left to compare."
        )
    return [*lines, *_left_out(pools)]


def _all_failed(measurements: Measurements, ended: Sequence[PoolSummary]) -> list[str]:
    """That no request succeeded, an error in its own words, and where there is more."""
    pool, runs = ended[0], next(p for p in measurements.pools if p.name == ended[0].name)
    example = next((k.example for k in pool.errors.kinds.values() if k.example), "")
    words = f": {' '.join(example.split())}" if example else ""
    if len(measurements.pools) == 1:
        number, settings = count(runs.counters["requests"]), arguments(pool.pool)
        lines = [f"Not one of {number} requests succeeded with {pool.name} ({settings}){words}"]
    else:
        none = "Nothing can be recommended: with none of the pools did a request succeed"
        lines = [f"{none}{words and f'; with {pool.name}, for example'}{words}"]
    log = next((run.log for run in runs.runs if run.log), None)
    return [*lines, f"More is in Locust's log, {log.parent.name}/{log.name}."] if log else lines


def _cannot_tell(candidates: Sequence[PoolSummary]) -> list[str]:
    ranked = sorted(candidates, key=lambda pool: -_throughput(pool))
    reached = [f"{pool.name} {rate(pool.throughput.per_second)}" for pool in ranked]
    return [
        f"Nothing can be recommended: without {FEWEST_ROUNDS} rounds of each pool, noise cannot be "
        "told from difference.",
        f"Requests per second in what there is: {listed(reached)}. Repeat with "
        f"--rounds {FEWEST_ROUNDS}, or --rounds auto for as many as it takes.",
    ]
