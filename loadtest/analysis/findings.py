"""What a reader should know about a pool's runs: each rule looks at one thing.

A rule takes a pool's runs and yields findings. The rules of DOUBTS say that the measurement of a
pool is not valid: whatever they find makes its numbers no basis for a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loadtest.analysis import kinds
from loadtest.analysis.laws import starvation, users_unaccounted
from loadtest.analysis.measured import PoolRuns
from loadtest.analysis.settings import most_connections
from loadtest.analysis.units import count, percent, plural
from loadtest.analysis.values import Finding

Rule = Callable[[PoolRuns], Iterator[Finding]]

BUSY_CPU = 0.90
BUSY_SHARE = 0.20
NOTABLE_ERRORS = 0.01
SERIOUS_ERRORS = 0.10
CHURN = 3.0
UNUSED = 1.5


def doubts(pool: PoolRuns) -> tuple[Finding, ...]:
    """Why a pool's numbers must not be believed; nothing if they may."""
    return tuple(finding for rule in DOUBTS for finding in rule(pool))


def remarks(pool: PoolRuns) -> tuple[Finding, ...]:
    """What else is worth knowing about a pool."""
    return tuple(finding for rule in REMARKS for finding in rule(pool))


def nothing_measured(pool: PoolRuns) -> Iterator[Finding]:
    """No run came as far as its measured time."""
    if not pool.rounds:
        yield Finding(
            code="nothing_measured",
            severity="error",
            message=f"Nothing was measured in {plural(len(pool.runs), 'run')} of this pool.",
            evidence={"runs": len(pool.runs)},
        )


def nothing_ended(pool: PoolRuns) -> Iterator[Finding]:
    """No request ended, well or badly: the measured time was too short or the users did nothing."""
    if pool.rounds and not pool.counters["requests"]:
        seconds = sum(round_.seconds for round_ in pool.rounds)
        yield Finding(
            code="nothing_ended",
            severity="error",
            message="Not one request ended, neither well nor badly, in the measured time: "
            "measure for longer.",
            evidence={"requests": 0, "seconds": seconds},
        )


def generator_saturated(pool: PoolRuns) -> Iterator[Finding]:
    """The generator had no CPU left for a good part of the time.

    One process runs all its users on one core. When that core is full, every time is longer than
    the pool made it, and the throughput is the generator's. Single busy seconds (users starting,
    garbage collection) do no harm, hence a share of the time.
    """
    length = sum(round_.seconds for round_ in pool.rounds)
    busy = sum(round_.saturated_share(BUSY_CPU) * round_.seconds for round_ in pool.rounds)
    if length and busy / length > BUSY_SHARE:
        yield Finding(
            code="generator_saturated",
            severity="error",
            message=f"The load generator used {percent(BUSY_CPU)} of its core or more in "
            f"{percent(busy / length)} of the measured time: it was measured, not the pool. "
            "Use fewer users, more work per request or more processes.",
            evidence={"share": busy / length, "cpu": BUSY_CPU, "allowed_share": BUSY_SHARE},
        )


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


def different_loads(pool: PoolRuns) -> Iterator[Finding]:
    """Runs of one pool under different loads, whose mean says little."""
    loads = [{**run.header.get("load", {}), "seed": None} for run in pool.runs]
    different = [load for n, load in enumerate(loads) if load not in loads[:n]]
    if len(different) > 1:
        yield Finding(
            code="different_loads",
            severity="warning",
            message=f"Its runs had {len(different)} different loads; their mean is of neither.",
            evidence={"loads": different},
        )


def errors_by_kind(pool: PoolRuns) -> Iterator[Finding]:
    """Each kind of error that ended more than one request in a hundred."""
    requests = pool.counters["requests"]
    for name in sorted(pool.counters):
        kind, number = name.removeprefix("errors."), pool.counters[name]
        if kind == name or number <= NOTABLE_ERRORS * requests:
            continue
        yield Finding(
            code=f"errors_{kind}",
            severity="error" if number > SERIOUS_ERRORS * requests else "warning",
            message=f"{percent(number / max(requests, 1))} of requests failed with "
            f"{kinds.label(kind)} ({count(number)} of {count(requests)}). {kinds.advice(kind)}",
            evidence={"count": number, "requests": requests},
        )


def overflow_churn(pool: PoolRuns) -> Iterator[Finding]:
    """Connections opened again and again, since the overflow closes them when they come back."""
    peak, opened = pool.peak("open"), pool.counters["opened"]
    closed = pool.counters["closed.overflow"]
    few = not peak or opened <= CHURN * peak * len(pool.rounds) or closed < opened / 2
    if few or pool.settings.get("poolclass") == "NullPool":
        return
    seconds = sum(round_.seconds for round_ in pool.rounds)
    yield Finding(
        code="overflow_churn",
        severity="warning",
        message=f"It opened {count(opened)} connections, {count(opened / seconds)} per second, but "
        f"had at most {count(peak)} at once: those above pool_size are closed when they come back. "
        "A larger pool_size, with less overflow, keeps them.",
        evidence={"opened": opened, "closed_overflow": closed, "peak": peak, "seconds": seconds},
    )


def never_needed(pool: PoolRuns) -> Iterator[Finding]:
    """Connections that the settings allow and this load never opened."""
    peak = pool.peak("open")
    limit = most_connections(pool.settings)
    per_process = limit if limit is not None else int(pool.settings.get("pool_size") or 0)
    allowed = per_process * pool.processes
    if peak and pool.settings.get("poolclass") != "NullPool" and allowed > UNUSED * peak:
        yield Finding(
            code="never_needed",
            severity="info",
            message=f"It may keep {count(allowed)} connections and never had more than "
            f"{count(peak)}: under this load the rest is a promise that the server has to be able "
            "to keep.",
            evidence={"allowed": allowed, "peak": peak},
        )


DOUBTS: tuple[Rule, ...] = (nothing_measured, nothing_ended, generator_saturated)
REMARKS: tuple[Rule, ...] = (
    unsound_files,
    different_loads,
    starvation,
    users_unaccounted,
    errors_by_kind,
    overflow_churn,
    never_needed,
)
