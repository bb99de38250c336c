"""The trust gate: whether the results show the pool's limit or the load generator's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from loadtest.analysis.findings.generator_causes import (
    BUSY_SHARE,
    LESS_THREADS,
    busy_share,
    cause_evidence,
    causes,
    causes_of_lag,
)
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.round import Round
from loadtest.analysis.statistics.censoring import describe
from loadtest.analysis.units import count, duration, listed, percent
from loadtest.model.durations import Durations
from loadtest.model.interval import SECOND
from loadtest.model.load import THREADS
from loadtest.model.summary import Finding
from loadtest.model.trust_limits import BUSY_CPU, LAG_SHARE, NOTABLE_LAG, TIME_WAIT_SECONDS

SCARCE_SHARE = 0.80
# Other programs may be the cause; a second run may then be undisturbed.
DISTURBANCES = ("generator_bound", "generator_lag")
# Findings that make a measurement invalid; other errors concern the pool.
ENDED_FOR_OTHERS = ("server_in_trouble", "more_than_announced")
INVALID_CODES = (
    *(*ENDED_FOR_OTHERS, "missed_deadline", "nothing_measured", "nothing_ended"),
    *("no_checkouts", "measured_too_little", "application_unseen", *DISTURBANCES),
)
STILL_USABLE = (
    "You can still use the counts of connections, overflow and errors by kind. Times and "
    "throughput show the load generator's limit, not the pool's."
)

_LESS_LOAD = "Use fewer users, more work per request or more processes."


def generator_bound(pool: PoolRuns) -> Iterator[Finding]:
    """The generator had no CPU left for a large part of the time.

    One process runs all its users on one core. If that core is full, all times are too long and
    the throughput shows the generator's limit. Single busy seconds (users starting,
    garbage collection) do no harm, hence a share of the time.
    """
    busy = busy_share(pool)
    if busy > BUSY_SHARE:
        alone = _rounds(pool, generator_bound)
        less = LESS_THREADS if pool.model == THREADS else _LESS_LOAD
        yield Finding(
            code="generator_bound",
            severity="error",
            message=f"The load generator used {percent(BUSY_CPU)} of its core or more in "
            f"{percent(busy)} of the measured time{_in(pool, alone)}. The results show its limit, "
            f"not the pool's. {' '.join(filter(None, [causes(pool), less, STILL_USABLE]))}",
            evidence={
                "share": busy,
                "cpu": BUSY_CPU,
                "allowed_share": BUSY_SHARE,
                "rounds": alone,
                **cause_evidence(pool),
            },
        )


def generator_lag(pool: PoolRuns) -> Iterator[Finding]:
    """The event loop was late by a millisecond and by more than a tenth of a request: blocked.

    CPU does not show a driver that blocks, or a second busy process on the same core. The mean is
    compared, as it is the delay of an average event. A percentile would be too strict: no Python
    process stays below a tenth of a request of 0.6 ms in 99 of 100 moments. With threads the lag
    is the main thread's wait for the interpreter. Measured on two cores with selects by key: 0.2
    to 0.4 ms at 13 to 79 % CPU, 1.7 ms and more from 93 % on, and tens of milliseconds with
    occasional blocking of 50 ms.
    """
    lag, share, threads = lateness(pool), _lag_share(pool), pool.model == THREADS
    allowed = allowed_lag(pool)
    if lag.mean is None or allowed is None or lag.mean <= allowed:
        return
    alone = _rounds(pool, generator_lag)
    yield Finding(
        code="generator_lag",
        severity="error",
        message=f"The load generator's {'main thread' if threads else 'event loop'} was late by "
        f"{duration(lag.mean)} on average (p99 {duration(lag.p99)}), which is {percent(share)} of "
        f"the mean request{_in(pool, alone)}: {causes_of_lag(pool)} {STILL_USABLE}",
        evidence={
            **{"lag_mean": lag.mean, "lag_p99": lag.p99, "share": share, "rounds": alone},
            **cause_evidence(pool),
        },
    )


def _rounds(pool: PoolRuns, rule: Callable[[PoolRuns], Iterator[Finding]]) -> list[str]:
    """The rounds that break a rule when checked alone; empty if all do."""
    each = {one.run.path.name: replace(pool, attempts=[one]) for one in pool.rounds}
    if len(each) < 2:
        return []
    alone = [name for name, round_ in each.items() if any(rule(round_))]
    return alone if len(alone) < len(each) else []


def _in(pool: PoolRuns, files: Sequence[str]) -> str:
    """The numbers of the rounds with these files, as part of a sentence."""
    numbers = [one.run.header.round for one in pool.rounds if one.run.path.name in files]
    known = [str(number) for number in dict.fromkeys(numbers)]
    rounds = "round" if len(known) == 1 else "rounds"
    return f" (too much in {rounds} {listed(known)})" if known else ""


# The rules that show that the generator did not keep up.
GENERATOR_RULES = (generator_bound, generator_lag)


def short_requests(pool: PoolRuns) -> Iterator[Finding]:
    """Requests so short that a large part of their time is spent in the generator."""
    lag, share = lateness(pool), _lag_share(pool)
    if lag.mean is None or lag.mean > NOTABLE_LAG or share <= LAG_SHARE:
        return
    yield Finding(
        code="short_requests",
        severity="info",
        message=f"Requests are so short that {percent(share)} of their mean time is spent in the "
        f"load generator, where users wait {duration(lag.mean)} for their turn. Use request times "
        "only to compare pools. Waits for a connection and throughput are reliable.",
        evidence={"lag_mean": lag.mean, "share": share},
    )


def lateness(pool: PoolRuns) -> Durations:
    """The event-loop lag; with threads, the lag of the main thread."""
    return describe(pool.times("generator_lag"))


def allowed_lag(pool: PoolRuns) -> float | None:
    """The largest mean event-loop lag allowed (s); None if no request succeeded."""
    request = describe(pool.times("request")).mean
    return max(NOTABLE_LAG, LAG_SHARE * request) if request else None


def _lag_share(pool: PoolRuns) -> float:
    """The mean lag as a share of the mean request."""
    lag, request = lateness(pool).mean, describe(pool.times("request")).mean
    return lag / request if lag is not None and request else 0.0


def clock_steps(pool: PoolRuns) -> Iterator[Finding]:
    """The machine's wall clock was changed during a run."""
    # Processes of one machine have one clock.
    rounds = [round_.processes.values() for round_ in pool.rounds]
    steps = [max((i.counters["clock_step"] for i in each), default=0) for each in rounds]
    stepped = sum(steps) / SECOND
    if stepped:
        yield Finding(
            code="clock_steps",
            severity="warning",
            message=f"The machine's clock was changed by {duration(stepped)} during a run. Times "
            "are measured with another clock and are still right. Seconds of several machines, and "
            "timestamps of server logs, may not match.",
            evidence={"seconds": stepped},
        )


def little_headroom(pool: PoolRuns) -> Iterator[Finding]:
    """The generator came close to a limit of its system: open files or local ports.

    A closed connection keeps its local port for a minute (TIME_WAIT), so the ports limit the rate
    of new connections.
    """
    for round_ in pool.rounds:
        for what, needed, limit in _resources(round_):
            if limit and needed > SCARCE_SHARE * limit:
                yield Finding(
                    code="little_headroom",
                    severity="warning",
                    message=f"{round_.run.path.name} needed {count(needed)} of the {count(limit)} "
                    f"{what} that this system allows the load generator. Beyond that, requests "
                    "fail there, not in the pool. Raise the limit, or open fewer connections.",
                    evidence={"what": what, "needed": needed, "limit": limit},
                )


def _resources(round_: Round) -> Iterator[tuple[str, float, float]]:
    if round_.driven:
        return  # the application opens the connections
    host = round_.run.header.host
    processes = max(len(round_.processes), 1)
    yield "open files", (round_.peak("open") or 0) / processes, host.open_files or 0
    opened = round_.together.counters["opened"] / round_.seconds
    lasting = min(round_.seconds, TIME_WAIT_SECONDS)
    yield "local ports", opened * lasting, host.local_ports or 0
