"""One pool's numbers, as `summary.json` has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from loadtest.analysis import fault_effects, stage_results
from loadtest.analysis.anatomy import anatomy
from loadtest.analysis.driven.driven_pool import unreturned
from loadtest.analysis.driven.request_numbers import request_numbers
from loadtest.analysis.findings import bottleneck, cross_checks
from loadtest.analysis.findings.error_advice import advice_for
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.statistics.censoring import describe
from loadtest.analysis.statistics.estimate import interval95, mean
from loadtest.model.durations import Durations
from loadtest.model.interval import SECOND
from loadtest.model.request_errors import ErrorKind, Errors, Retries
from loadtest.model.summary import (
    ArrivalRates,
    CheckoutTimes,
    Connections,
    Generator,
    PoolSummary,
    ServerActivity,
    Throughput,
)

RoundKey = tuple[str, int]


def pool_numbers(pool: PoolRuns) -> PoolSummary:
    """The numbers of all rounds together, without findings."""
    return PoolSummary(
        name=pool.name,
        pool=pool.settings,
        given=pool.given,
        model=pool.model,
        server_name=pool.server,
        application_name=pool.application,
        processes=pool.processes,
        rounds=len(pool.rounds),
        seconds=sum(round_.seconds for round_ in pool.rounds),
        throughput=_throughput(pool),
        checkout=_checkout(pool),
        hold_seconds=_durations(pool, "hold"),
        request_seconds=describe(pool.times("request", cut_off_by_waits=True)),
        request=request_numbers(pool),
        schedule_lag_seconds=_durations(pool, "schedule_lag"),
        dropped=pool.counters["dropped"],
        abandoned=pool.counters["abandoned"],
        arrivals=_arrivals(pool),
        connections=_connections(pool),
        errors=error_numbers(pool),
        retries=retry_numbers(pool),
        generator=_generator(pool),
        server=_server(pool),
        stages=tuple(stage_results.stage_results(pool)),
        faults=tuple(fault_effects.fault_effects(pool)),
        valid=True,
        unreturned=unreturned(pool),
        unserved=starved.unserved if (starved := cross_checks.starved(pool)) else 0.0,
    )


def numbers_by_round(pool: PoolRuns) -> Mapping[RoundKey, PoolSummary]:
    """The same for each round, by the key that pairs rounds of different pools."""
    return {round_.key: pool_numbers(replace(pool, attempts=[round_])) for round_ in pool.rounds}


def _durations(pool: PoolRuns, name: str) -> Durations:
    return describe(pool.times(name))


def _arrivals(pool: PoolRuns) -> ArrivalRates | None:
    if not pool.counters["arrivals"]:
        return None
    return ArrivalRates(
        offered_per_second=pool.counters["arrivals"] / pool.seconds,
        begun_per_second=pool.times("schedule_lag").finished.count / pool.seconds,
        dropped=pool.counters["dropped"],
    )


def _throughput(pool: PoolRuns) -> Throughput:
    per_round = [round_.throughput for round_ in pool.rounds]
    return Throughput(per_second=mean(per_round), ci95=interval95(per_round))


def _checkout(pool: PoolRuns) -> CheckoutTimes:
    wait = pool.times("wait", cut_off_by_waits=True)
    seconds = describe(pool.times("checkout", cut_off_by_waits=True))
    return CheckoutTimes(
        count=pool.counters["checkouts"],
        timeouts=pool.counters["timeouts"],
        unfinished=wait.unfinished.count,
        seconds=seconds,
        wait_seconds=describe(wait),
        connect_seconds=_durations(pool, "connect"),
        reconnect_seconds=_durations(pool, "reconnect"),
        ping_seconds=_durations(pool, "ping"),
        reset_seconds=_durations(pool, "reset"),
        anatomy=anatomy(pool, seconds),
    )


def _connections(pool: PoolRuns) -> Connections:
    closed = [n for name, n in pool.counters.items() if name.startswith("closed.")]
    most = pool.settings.most_connections
    return Connections(
        allowed=None if most is None else most * pool.processes,
        peak=pool.peak("open"),
        overflow_peak=pool.peak("overflow"),
        waiting_peak=pool.peak("waiting"),
        opened=pool.counters["opened"],
        closed=sum(closed),
    )


def error_numbers(pool: PoolRuns) -> Errors:
    """The share of requests that failed, and the kinds of errors, the most frequent first."""
    by_kind, requests = _by_kind(pool, "errors."), pool.counters["requests"]
    return Errors(
        rate=pool.counters["failures"] / requests if requests else None,
        by_kind=by_kind,
        kinds={kind: _error_kind(pool, kind) for kind in by_kind},
    )


def retry_numbers(pool: PoolRuns) -> Retries:
    """The retries, and their kinds of errors, the most frequent first."""
    return Retries(count=pool.counters["retries"], by_kind=_by_kind(pool, "retries."))


def _by_kind(pool: PoolRuns, prefix: str) -> dict[str, int]:
    """The counters with a prefix, the highest first."""
    found = {n.removeprefix(prefix): c for n, c in pool.counters.items() if n.startswith(prefix)}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _error_kind(pool: PoolRuns, kind: str) -> ErrorKind:
    each = [round_.data for round_ in pool.attempts]
    seconds = [
        second
        for data in each
        for second in data.columns.second[data.columns.counter(f"errors.{kind}") != 0].tolist()
    ]
    return ErrorKind(
        first=min(seconds, default=None),
        last=max(seconds, default=None),
        example=next((data.examples[kind] for data in each if kind in data.examples), None),
        advice=advice_for(pool, kind),
    )


def _server(pool: PoolRuns) -> ServerActivity:
    locked = pool.server_rate("row_lock_time")
    counters: Counter[str] = sum((r.server.counters for r in pool.rounds), Counter())
    failed = ("aborted_connects", "refused_connects")
    unread = not any(round_.server.length for round_ in pool.rounds)
    return ServerActivity(
        cpu=bottleneck.server_cpu(pool),
        running=pool.server_level("threads_running"),
        connected=pool.server_level("threads_connected"),
        row_lock_waiters=None if locked is None else locked / SECOND,
        **{n: None if unread or n in pool.lacks else counters[n] for n in failed},
    )


def _generator(pool: PoolRuns) -> Generator:
    busiest = [round_.busiest for round_ in pool.rounds]
    length = sum(process.length for process in busiest)
    cpu = sum(process.counters["cpu"] for process in busiest)
    lag = _durations(pool, "generator_lag")
    return Generator(cpu=cpu / length if length else None, lag_p99_seconds=lag.p99)
