"""The sentences of a verdict that recommends nothing, and why."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.analysis.comparison.objective_check import objective_sentences
from loadtest.analysis.comparison.unused_pools import allowed_in_words, is_unused, more_load
from loadtest.analysis.findings import error_advice, mostly_failing
from loadtest.analysis.pool_runs import Measurements, PoolRuns
from loadtest.analysis.pool_settings import pool_arguments
from loadtest.analysis.units import count, listed, percent, plural, rate
from loadtest.model import error_kinds
from loadtest.model.summary import PoolSummary
from loadtest.runfile.folders import as_typed

WHAT_NEXT = "Remove the causes that the findings name, and repeat on an idle machine."


def nothing_to_compare(
    pools: Sequence[PoolSummary], candidates: Sequence[PoolSummary]
) -> list[str]:
    """What each pool did, if fewer than two are left to compare."""
    lines = [
        f"{pool.name} ({pool_arguments(pool.pool)}) did {rate(pool.throughput.per_second)} "
        f"requests per second; {percent(pool.errors.rate) if pool.errors.rate else 'none'} failed."
        for pool in candidates
    ]
    if len(pools) == 1 and candidates:
        return [*lines, *objective_sentences(candidates[0]), _alone(candidates[0])]
    if len(pools) > 1:
        lines.append(
            f"Nothing can be recommended: {count(len(candidates))} of "
            f"{plural(len(pools), 'pool')} can be compared.{_what_next(pools)}"
        )
    return [*lines, *pools_left_out(pools)]


def _alone(pool: PoolSummary) -> str:
    """Why one pool decides nothing, and how to compare it."""
    alone = "One pool alone shows nothing about others."
    if not is_unused(pool):
        return f"{alone} Compare it with other pools."
    used = f"at most {count(pool.connections.peak)} of {allowed_in_words(pool)} connections"
    return (
        f"{alone} This one was never used up ({used}), so this load cannot tell it from larger "
        f"pools. Use {more_load([pool])} before you compare it with other pools."
    )


def _what_next(pools: Sequence[PoolSummary]) -> str:
    """What to do about measurements that are not valid; empty if all are."""
    invalid = any(not pool.valid and not mostly_failing.fails_mostly(pool) for pool in pools)
    return f" {WHAT_NEXT}" if invalid else ""


def every_request_failed(measurements: Measurements, ended: Sequence[PoolSummary]) -> list[str]:
    """No request succeeded: an example of the error, and the log."""
    pool, runs = ended[0], next(p for p in measurements.pools if p.name == ended[0].name)
    example = next((k.example for k in pool.errors.kinds.values() if k.example), "")
    words = f": {' '.join(example.split())}" if example else ""
    if len(measurements.pools) == 1:
        number, settings = count(runs.counters["requests"]), pool_arguments(pool.pool)
        lines = [f"None of {number} requests succeeded with {pool.name} ({settings}){words}"]
    else:
        none = "Nothing can be recommended: no request succeeded with any pool"
        lines = [f"{none}{words and f'; with {pool.name}, for example'}{words}"]
    return [*lines, *_log(runs)]


def most_requests_failed(measurements: Measurements, ended: Sequence[PoolSummary]) -> list[str]:
    """Most requests failed with every pool: the kind of error, and what to do."""
    pool = max(ended, key=lambda pool: pool.errors.rate or 0.0)
    runs = next(p for p in measurements.pools if p.name == pool.name)
    kind = mostly_failing.main_kind(pool.errors)
    words = mostly_failing.example_in_words(pool.errors)
    most = f"most with {error_kinds.label(kind)}{words}."
    if len(measurements.pools) == 1:
        number, share = count(runs.counters["requests"]), percent(pool.errors.rate)
        head = (
            f"{share} of {number} requests failed with {pool.name} ({pool_arguments(pool.pool)}), "
        )
    else:
        shares = listed([f"{percent(one.errors.rate)} with {one.name}" for one in ended])
        head = f"Nothing can be recommended: most requests failed with every pool ({shares}), "
    met_or_missed = objective_sentences(pool) if len(measurements.pools) == 1 and pool.valid else []
    return [head + most, error_advice.advice_for(runs, kind), *met_or_missed, *_log(runs)]


def _log(runs: PoolRuns) -> list[str]:
    """The log that has the errors, if there is one."""
    log = next((run.log for run in runs.runs if run.log), None)
    return [f"For details, see Locust's log: {as_typed(log)}."] if log else []


def pools_left_out(pools: Sequence[PoolSummary]) -> list[str]:
    """The pools that were left out: most requests failed, or the measurement is not valid."""
    invalid = [pool for pool in pools if not pool.valid]
    failed = [pool for pool in invalid if mostly_failing.fails_mostly(pool)]
    names = [pool.name for pool in invalid if pool not in failed]
    lines = mostly_failing.not_recommended(failed)
    if not names:
        return lines
    if len(pools) == 1:
        return [f"The measurement of {names[0]} is not valid (see the findings)."]
    are = "is" if len(names) == 1 else "are"
    text = f"{listed(names)} {are} left out: the measurement is not valid (see the findings)."
    return [*lines, text]


def repeated_runs(measurements: Measurements) -> list[str]:
    """The rounds that were disturbed and repeated, and why."""
    names = {pool.name for pool in measurements.pools}
    again = [one for one in measurements.plan.disturbed if one.pool in names]
    if not again:
        return []
    said = [f"{one.pool}-{one.round} ({one.why})" for one in again]
    return [f"Disturbed and repeated: {listed(said)}. The first attempts are in disturbed/."]
