"""The findings about a pool's runs: each rule checks one thing.

A rule takes a pool's runs and yields findings. A finding of the rules in DOUBTS makes the
measurement of a pool invalid: its numbers are no basis for a decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from loadtest.analysis import fault_effects
from loadtest.analysis.driven import application_doubts, application_findings, machine_findings
from loadtest.analysis.findings import (
    bottleneck,
    connection_use,
    cross_checks,
    error_advice,
    incomplete_runs,
    mostly_failing,
    offered_load,
    pool_sizes,
    request_outcomes,
    settling,
    shared_connection,
    trust_gate,
    worker_presence,
    write_conflicts,
)
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.units import count, listed, percent, plural
from loadtest.model import error_kinds
from loadtest.model.summary import Finding

NOTABLE_ERRORS = 0.01
SERIOUS_ERRORS = 0.10
SHOWN_PERCENTILES = (95, 99)
LEAST_VALUES_BEYOND = 10
# A task that leaks a connection still holds it when it takes the next.
FOLLOW_FROM_LEAK = {"nested_checkout", "long_hold"}
FOLLOW_FROM_DEADLOCK = {
    *("long_hold", "starvation", "pool_bound", "unsettled", "few_samples"),
    *("users_unaccounted", "connections_unaccounted", "waiters_unaccounted"),
}

# With these doubts the load generator did not keep up, and its times say nothing about the pool.
# Opening connections again and again (connect_bound) may be the cause.
OF_THE_GENERATOR = {*trust_gate.DISTURBANCES, "measured_too_little", mostly_failing.MOST_FAILED}
OF_TIMES = {
    *("pool_bound", "database_bound", "long_hold", "opened_in_vain"),
    *("users_unaccounted", "connections_unaccounted", "waiters_unaccounted", "sleeping_waiters"),
    *("unseen_stall", "short_requests", "unsettled", "few_samples"),
    *("application_bound", "blocked_event_loop", "machine_bound"),
}


def doubts(pool: PoolRuns) -> tuple[Finding, ...]:
    """Why a pool's numbers are not valid; empty if they are."""
    return tuple(finding for rule in _applicable(DOUBTS, pool) for finding in rule(pool))


def remarks(pool: PoolRuns, doubted: Iterable[Finding] = ()) -> tuple[Finding, ...]:
    """The other findings, without those that follow from a deadlocked pool or from a leak.

    doubted: its doubts. If the load generator was at fault, findings about times are left out.
    """
    found = [finding for rule in _applicable(REMARKS, pool) for finding in rule(pool)]
    follow: set[str] = set()
    if pool.deadlocked:
        follow = FOLLOW_FROM_DEADLOCK
    elif any(finding.code == "leak" for finding in found):
        follow = FOLLOW_FROM_LEAK
    if any(finding.code in OF_THE_GENERATOR for finding in doubted):
        follow = follow | OF_TIMES
    return tuple(finding for finding in found if finding.code not in follow)


def _applicable(
    rules: Iterable[mostly_failing.FindingRule], pool: PoolRuns
) -> Iterable[mostly_failing.FindingRule]:
    """The rules that apply to a pool: without a successful request, those about errors and runs."""
    if pool.driven:
        rules = [rule for rule in rules if rule not in OF_SCENARIOS]
    if not mostly_failing.without_success(pool):
        return rules
    starved = mostly_failing.named_kind(pool) == "pool_timeout"
    told = (*WITHOUT_SUCCESS, *(CAUSES_OF_TIMEOUTS if starved else ()))
    return [rule for rule in rules if rule in told]


def errors_by_kind(pool: PoolRuns) -> Iterator[Finding]:
    """Each kind of error that ended more than one request in a hundred.

    Write conflicts have a finding of their own.
    """
    requests, told = pool.counters["requests"], mostly_failing.named_kind(pool)
    for name in sorted(pool.counters):
        kind, number = name.removeprefix("errors."), pool.counters[name]
        if kind in (name, write_conflicts.WRITE_CONFLICT) or number <= NOTABLE_ERRORS * requests:
            continue
        yield Finding(
            code=f"errors_{kind}",
            severity="error" if number > SERIOUS_ERRORS * requests else "warning",
            message=f"{percent(number / max(requests, 1))} of requests failed with "
            f"{error_kinds.label(kind)} ({count(number)} of {count(requests)}). "
            f"{'' if kind == told else error_advice.advice_for(pool, kind)}".strip(),
            evidence={"count": number, "requests": requests},
            error_kind=kind,
        )


def few_samples(pool: PoolRuns) -> Iterator[Finding]:
    """Percentiles of the wait with too few values beyond them to be repeatable."""
    waits = pool.times("wait", cut_off_by_waits=True)
    number = waits.finished.count + waits.unfinished.count
    weak = [
        f"p{percentile}"
        for percentile in SHOWN_PERCENTILES
        if number * (100 - percentile) < 100 * LEAST_VALUES_BEYOND
    ]
    if number and weak:
        yield Finding(
            code="few_samples",
            severity="info",
            message=f"Only {plural(number, 'wait')} were measured, and fewer than "
            f"{LEAST_VALUES_BEYOND} lie beyond {listed(weak)}: the next run will give other "
            "values. Measure for longer.",
            evidence={"waits": number, "percentiles": weak},
        )


DOUBTS: tuple[mostly_failing.FindingRule, ...] = (
    incomplete_runs.server_in_trouble,
    incomplete_runs.more_than_announced,
    incomplete_runs.missed_deadline,
    incomplete_runs.nothing_measured,
    incomplete_runs.nothing_ended,
    connection_use.no_checkouts,
    incomplete_runs.measured_too_little,
    application_doubts.application_unseen,
    mostly_failing.overloaded_by_failures,
    *map(mostly_failing.unless_failing, trust_gate.GENERATOR_RULES),
)
# How the runs went, whatever became of their requests.
OF_RUNS: tuple[mostly_failing.FindingRule, ...] = (
    incomplete_runs.unsound_files,
    fault_effects.fault_failed,
    worker_presence.worker_lost,
    worker_presence.worker_late,
    worker_presence.intervals_lost,
    worker_presence.clock_offset,
    worker_presence.late_reports,
    application_doubts.application_restarted,
)
# What a driven application does wrong, across the border between requests and checkouts.
OF_APPLICATIONS: tuple[mostly_failing.FindingRule, ...] = (
    application_findings.pool_timeouts_as_5xx,
    application_findings.blocked_event_loop,
    application_findings.mistakes_of_places,
    application_findings.fleet_exceeds_server,
)
# Rules about the tasks of a scenario; a driven application has rules of its own for the same.
OF_SCENARIOS: tuple[mostly_failing.FindingRule, ...] = (
    connection_use.leak,
    connection_use.nested_checkout,
    connection_use.long_hold,
    pool_sizes.exceeds_server,
)
REMARKS: tuple[mostly_failing.FindingRule, ...] = (
    connection_use.leak,
    mostly_failing.nothing_succeeded,
    mostly_failing.most_failed,
    *OF_RUNS,
    *OF_APPLICATIONS,
    offered_load.dropped_arrivals,
    offered_load.unseen_stall,
    shared_connection.pool_for_one_user,
    shared_connection.shared_session,
    connection_use.nested_checkout,
    connection_use.sleeping_waiters,
    cross_checks.starvation,
    cross_checks.users_unaccounted,
    cross_checks.other_users,
    cross_checks.pool_users_beside,
    cross_checks.connections_unaccounted,
    cross_checks.waiters_unaccounted,
    cross_checks.server_disagrees,
    application_findings.application_bound,
    machine_findings.machine_bound,
    application_findings.pool_below_concurrency,
    bottleneck.pool_bound,
    bottleneck.database_bound,
    bottleneck.connect_bound,
    connection_use.slow_handshake,
    connection_use.long_hold,
    errors_by_kind,
    write_conflicts.write_conflicts,
    request_outcomes.retries,
    request_outcomes.abandoned,
    pool_sizes.overflow_churn,
    pool_sizes.opened_in_vain,
    pool_sizes.exceeds_server,
    pool_sizes.pool_per_process,
    pool_sizes.never_needed,
    trust_gate.short_requests,
    trust_gate.clock_steps,
    trust_gate.little_headroom,
    settling.unsettled,
    few_samples,
)
# What is said about a pool without a successful request: its errors, and how its runs went.
WITHOUT_SUCCESS: tuple[mostly_failing.FindingRule, ...] = (
    incomplete_runs.server_in_trouble,
    incomplete_runs.more_than_announced,
    incomplete_runs.missed_deadline,
    mostly_failing.nothing_succeeded,
    *OF_RUNS,
    *OF_APPLICATIONS,
    errors_by_kind,
    write_conflicts.write_conflicts,
)
# Mistakes of tasks that keep connections from others until every checkout times out.
CAUSES_OF_TIMEOUTS: tuple[mostly_failing.FindingRule, ...] = (
    connection_use.leak,
    connection_use.nested_checkout,
)
