"""Runs that ended early, measured too little or nothing, or left a damaged file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from loadtest.analysis.findings.generator_causes import cause_evidence, causes, driver_may_block
from loadtest.analysis.findings.shared_connection import is_for_one_user
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.units import duration, plural
from loadtest.model.end_reason import End, EndReason
from loadtest.model.load import THREADS
from loadtest.model.summary import Finding
from loadtest.runfile.reader import RunFacts

# A run is not valid if it measured less than this share of its duration and misses more than
# these seconds: start-up takes a part of short durations.
LEAST_MEASURED, MISSING_SECONDS = 0.8, 1.0
_BADLY = (EndReason.INTERRUPTED, EndReason.FAILED)
_YIELD = "If the driver blocks, use one that yields (PyMySQL). "
_ON_THREADS = "Users on OS threads (--model threads) do not block each other. "


def nothing_measured(pool: PoolRuns) -> Iterator[Finding]:
    """No run reached its measured time."""
    if not pool.rounds:
        yield Finding(
            code="nothing_measured",
            severity="error",
            message=f"Nothing was measured in {plural(len(pool.runs), 'run')} of this pool."
            if pool.runs
            else "This pool never ran: the experiment ended before its first run.",
            evidence={"runs": len(pool.runs)},
        )


def nothing_ended(pool: PoolRuns) -> Iterator[Finding]:
    """No request succeeded or failed: a deadlocked pool, control flow, or too short a time."""
    if pool.rounds and not pool.counters["requests"]:
        abandoned = pool.counters["abandoned"]
        yield Finding(
            code="nothing_ended",
            severity="error",
            message=_why_none_ended(pool),
            evidence={"requests": 0, "abandoned": abandoned, "seconds": pool.seconds},
        )


def _why_none_ended(pool: PoolRuns) -> str:
    abandoned = pool.counters["abandoned"]
    if abandoned and not pool.deadlocked:
        return (
            f"Locust's control flow (interrupt, RescheduleTask, StopUser) ended all "
            f"{plural(abandoned, 'request')}, so none succeeded or failed. Call self.succeed() "
            "(in a TaskSet self.user.succeed()) before it if they did their work."
        )
    longest = max(round_.seconds for round_ in pool.rounds)
    without = "the tasks make no request" if pool.driven else "the tasks open no block"
    show = "The application's log may show" if pool.driven else "loadtest run --try shows"
    why = (
        f"Either no user got past its on_start, or {without}, or a request takes longer than "
        f"{duration(longest)}. {show} which. Measure for longer than a request takes."
    )
    if pool.deadlocked:
        why = "The pool was deadlocked (see the finding nested_checkout)."
    return f"No request ended in the measured time, neither successfully nor with an error. {why}"


def server_in_trouble(pool: PoolRuns) -> Iterator[Finding]:
    """A run was stopped early: the server refused others, or its status was unreadable."""
    advice = (
        "Use a smaller pool or another server. With --no-abort the run continues even if other "
        "clients of the server fail."
    )
    yield from _ended(pool, "server_in_trouble", EndReason.SERVER_IN_TROUBLE, advice)


def more_than_announced(pool: PoolRuns) -> Iterator[Finding]:
    """A run was stopped early, since it needed more connections than announced."""
    advice = (
        "Let the tasks hold one connection at a time and return it, limit the pool (pool_size + "
        "max_overflow) to the number of users, or announce more: --connections-per-user 2."
    )
    if any(use.kept for use in pool.tasks.values()):
        advice = "Return every connection and session (see the finding leak)."
    if is_for_one_user(pool):
        advice = (
            "Several users broke the connection that they shared, and each new one counts (see the "
            "finding pool_for_one_user)."
        )
    yield from _ended(pool, "more_than_announced", EndReason.MORE_THAN_ANNOUNCED, advice)


def _ended(pool: PoolRuns, code: str, reason: EndReason, advice: str) -> Iterator[Finding]:
    for run, end in _ends(pool, reason):
        yield Finding(
            code=code,
            severity="error",
            message=f"{run.path.name} was stopped early: {end}. {advice}",
            evidence={"file": run.path.name, "reason": str(end)},
        )


def missed_deadline(pool: PoolRuns) -> Iterator[Finding]:
    """A run missed its deadline: something blocked its process, or kept it from ending."""
    for run, end in _ends(pool, EndReason.OVERDUE):
        yield Finding(
            code="missed_deadline",
            severity="error",
            message=f"{run.path.name} was {end}. Something in it blocks all users or does "
            f"not end. {_instead(pool)}The log beside the file has all stacks.",
            evidence={"file": run.path.name, "reason": str(end)},
        )


def _instead(pool: PoolRuns) -> str:
    if pool.model == THREADS:
        return ""
    return f"{_YIELD if driver_may_block(pool) else ''}{'' if pool.driven else _ON_THREADS}"


def _ends(pool: PoolRuns, reason: EndReason) -> Iterator[tuple[RunFacts, End]]:
    """The runs that ended for a reason."""
    for run in pool.runs:
        if run.end and run.end.reason is reason:
            yield run, run.end


def measured_too_little(pool: PoolRuns) -> Iterator[Finding]:
    """A run reached its planned end, but measured for clearly less time than planned."""
    for round_ in pool.rounds:
        run, seconds = round_.run, round_.seconds
        planned = run.header.load.duration or 0.0
        whole = seconds >= min(LEAST_MEASURED * planned, planned - MISSING_SECONDS)
        finished = run.end is not None and run.end.reason is EndReason.FINISHED
        if finished and not whole:
            yield Finding(
                code="measured_too_little",
                severity="error",
                message=f"{run.path.name} measured {duration(seconds)} of the planned "
                f"{duration(planned)}. {_rest_of_the_time(replace(pool, attempts=[round_]))}",
                evidence={
                    **{"file": run.path.name, "seconds": seconds, "planned": planned},
                    **cause_evidence(pool),
                },
            )


def _rest_of_the_time(pool: PoolRuns) -> str:
    """What took the rest of a run's time, as far as it was seen, and what to do."""
    longer = "" if pool.deadlocked else " Or measure for longer."
    if seen := causes(pool):
        return f"{seen}{longer}"
    opened = sum(int(round_.data.columns.counter("opened").sum()) for round_ in pool.attempts)
    other = f"opening {plural(opened, 'connection')}" if opened else "another program"
    return f"Blocking code, or {other}, took the rest of the time. Remove the cause.{longer}"


def unsound_files(pool: PoolRuns) -> Iterator[Finding]:
    """Run files that are damaged, or whose run did not reach its planned end."""
    for run in pool.runs:
        badly = [run.end] if run.end and run.end.reason in _BADLY else []
        for problem in [*run.problems, *map(str, badly)]:
            yield Finding(
                code="unsound_file",
                severity="warning",
                message=f"{run.path.name}: {problem}",
                evidence={"file": run.path.name, "problem": problem},
            )
