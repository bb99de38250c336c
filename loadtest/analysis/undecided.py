"""The sentences of a verdict that recommends nothing, and why."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.analysis.comparison import FEWEST_ROUNDS
from loadtest.analysis.measured import Measurements
from loadtest.analysis.meeting import sentences
from loadtest.analysis.settings import arguments
from loadtest.analysis.units import count, listed, percent, plural, rate
from loadtest.analysis.values import PoolSummary


def nothing_to_compare(
    pools: Sequence[PoolSummary], candidates: Sequence[PoolSummary]
) -> list[str]:
    """What each pool did where fewer than two are left to compare."""
    lines = [
        f"{pool.name} ({arguments(pool.pool)}) did {rate(pool.throughput.per_second)} requests per "
        f"second; {percent(pool.errors.rate) if pool.errors.rate else 'none'} failed."
        for pool in candidates
    ]
    if len(pools) == 1 and candidates:
        alone = "One pool alone says nothing about others: compare it with some."
        return [*lines, *sentences(candidates[0]), alone]
    if len(pools) > 1:
        lines.append(
            f"Nothing can be recommended: {count(len(candidates))} of "
            f"{plural(len(pools), 'pool')} left to compare."
        )
    return [*lines, *left_out(pools)]


def all_failed(measurements: Measurements, ended: Sequence[PoolSummary]) -> list[str]:
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


def cannot_tell(candidates: Sequence[PoolSummary]) -> list[str]:
    """That there are too few rounds, and what they say."""
    ranked = sorted(candidates, key=lambda pool: -(pool.throughput.per_second or 0.0))
    reached = [f"{pool.name} {rate(pool.throughput.per_second)}" for pool in ranked]
    return [
        f"Nothing can be recommended: without {FEWEST_ROUNDS} rounds of all pools together, noise "
        "cannot be told from difference.",
        f"Requests per second in what there is: {listed(reached)}. Repeat with "
        f"--rounds {FEWEST_ROUNDS}, or --rounds auto for as many as it takes.",
    ]


def left_out(pools: Sequence[PoolSummary]) -> list[str]:
    """Which pools were left out, since their measurement is not valid."""
    invalid = [pool.name for pool in pools if not pool.valid]
    if not invalid:
        return []
    if len(pools) == 1:
        return [f"The measurement of {invalid[0]} is not valid (see the findings)."]
    are = "is" if len(invalid) == 1 else "are"
    return [f"{listed(invalid)} {are} left out: the measurement is not valid (see the findings)."]


def done_again(measurements: Measurements) -> list[str]:
    """Which rounds were disturbed and done once more, and why."""
    names = {pool.name for pool in measurements.pools}
    again = [one for one in measurements.experiment.get("disturbed", ()) if one["pool"] in names]
    if not again:
        return []
    said = [f"{one['pool']}-{one['round']} ({one['why']})" for one in again]
    return [f"Disturbed and done once more: {listed(said)}; what was first is in disturbed/."]
