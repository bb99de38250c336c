"""What a reader should know about a pool's runs: each rule looks at one thing.

A rule takes a pool's runs and yields findings. The rules of DOUBTS say that the measurement of a
pool is not valid: whatever they find makes its numbers no basis for a decision.
"""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.analysis import (
    application,
    bounds,
    conflicts,
    failing,
    faults,
    gate,
    kinds,
    laws,
    load,
    sizes,
    steady,
    workers,
)
from loadtest.analysis.measured import PoolRuns
from loadtest.analysis.units import count, listed, percent, plural
from loadtest.analysis.values import Finding

NOTABLE_ERRORS = 0.01
SERIOUS_ERRORS = 0.10
SHOWN = (95, 99)
BEYOND = 10
# Who kept a connection holds it still when it takes the next.
FOLLOW_FROM_LEAK = {"nested_checkout", "long_hold"}


def doubts(pool: PoolRuns) -> tuple[Finding, ...]:
    """Why a pool's numbers must not be believed; nothing if they may."""
    return tuple(finding for rule in DOUBTS for finding in rule(pool))


def remarks(pool: PoolRuns) -> tuple[Finding, ...]:
    """What else is worth knowing about a pool; of a leak's consequences only the leak."""
    found = [finding for rule in REMARKS for finding in rule(pool)]
    leaks = any(finding.code == "leak" for finding in found)
    return tuple(f for f in found if not (leaks and f.code in FOLLOW_FROM_LEAK))


def unsound_files(pool: PoolRuns) -> Iterator[Finding]:
    """Run files that are damaged, or of runs that did not come to their planned end."""
    for run in pool.runs:
        reason = str(run.footer["reason"]) if run.footer else ""
        ended_badly = reason.startswith(("interrupted", "failed"))
        for problem in [*run.problems, *([reason] if ended_badly else [])]:
            yield Finding(
                code="unsound_file",
                severity="warning",
                message=f"{run.path.name}: {problem}",
                evidence={"file": run.path.name, "problem": problem},
            )


def errors_by_kind(pool: PoolRuns) -> Iterator[Finding]:
    """Each kind of error that ended more than one request in a hundred.

    Write conflicts have a finding of their own.
    """
    requests, told = pool.counters["requests"], failing.told(pool)
    for name in sorted(pool.counters):
        kind, number = name.removeprefix("errors."), pool.counters[name]
        if kind in (name, conflicts.KIND) or number <= NOTABLE_ERRORS * requests:
            continue
        yield Finding(
            code=f"errors_{kind}",
            severity="error" if number > SERIOUS_ERRORS * requests else "warning",
            message=f"{percent(number / max(requests, 1))} of requests failed with "
            f"{kinds.label(kind)} ({count(number)} of {count(requests)}). "
            f"{'' if kind == told else kinds.advice(kind)}".strip(),
            evidence={"count": number, "requests": requests},
        )


def few_samples(pool: PoolRuns) -> Iterator[Finding]:
    """Percentiles of the wait with so few values beyond them that the next run's will differ."""
    waits = pool.times("wait", cut_off_by_waits=True)
    number = waits.finished.count + waits.unfinished.count
    weak = [f"p{percentile}" for percentile in SHOWN if number * (100 - percentile) < 100 * BEYOND]
    if number and weak:
        yield Finding(
            code="few_samples",
            severity="info",
            message=f"Only {plural(number, 'wait')} were measured: fewer than {BEYOND} lie beyond "
            f"{listed(weak)}, which the next run will find elsewhere. Measure for longer.",
            evidence={"waits": number, "percentiles": weak},
        )


DOUBTS: tuple[failing.Rule, ...] = (
    gate.server_in_trouble,
    gate.more_than_announced,
    gate.missed_deadline,
    gate.nothing_measured,
    gate.nothing_ended,
    gate.measured_too_little,
    failing.overloaded_by_failures,
    *map(failing.unless_failing, gate.GENERATOR),
)
REMARKS: tuple[failing.Rule, ...] = (
    failing.most_failed,
    unsound_files,
    faults.fault_failed,
    workers.worker_lost,
    workers.worker_late,
    workers.intervals_lost,
    workers.clock_offset,
    workers.late_reports,
    load.dropped_arrivals,
    load.unseen_stall,
    application.leak,
    application.nested_checkout,
    application.sleeping_waiters,
    laws.starvation,
    laws.users_unaccounted,
    laws.connections_unaccounted,
    laws.waiters_unaccounted,
    laws.server_disagrees,
    bounds.pool_bound,
    bounds.database_bound,
    bounds.connect_bound,
    application.slow_handshake,
    application.long_hold,
    errors_by_kind,
    conflicts.write_conflicts,
    sizes.overflow_churn,
    sizes.opened_in_vain,
    sizes.exceeds_server,
    sizes.pool_per_process,
    sizes.never_needed,
    gate.short_requests,
    gate.clock_steps,
    gate.little_headroom,
    steady.unsettled,
    few_samples,
)
