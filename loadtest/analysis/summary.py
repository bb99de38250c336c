"""From runs to the summary: the one place where `summary.json` gets its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.analysis import bounds, findings, stages
from loadtest.analysis.anatomy import anatomy
from loadtest.analysis.censoring import describe
from loadtest.analysis.comparison import comparisons
from loadtest.analysis.estimate import interval95, mean
from loadtest.analysis.measured import SECOND, Measurements, PoolRuns, gather
from loadtest.analysis.models import by_model, verdicts
from loadtest.analysis.settings import most_connections
from loadtest.analysis.values import (
    Arrivals,
    Checkout,
    Comparison,
    Connections,
    Durations,
    ErrorKind,
    Errors,
    Generator,
    PoolSummary,
    Server,
    Summary,
    Throughput,
)
from loadtest.analysis.verdict import verdict
from loadtest.results import Run


def summarize_runs(runs: Sequence[Run], experiment: Mapping[str, Any] | None = None) -> Summary:
    """The summary of some runs; experiment: what experiment.json holds, if there is one."""
    return summarize(gather(runs, experiment))


def summarize(measurements: Measurements) -> Summary:
    """The summary of what was measured. Invalid pools are shown, but not compared."""
    pools = tuple(summarize_pool(pool) for pool in measurements.pools)
    valid = {pool.name for pool in pools if pool.valid}
    parts = by_model(measurements)
    return Summary(
        experiment={**measurements.experiment, "problems": list(measurements.problems)},
        environment=_environment(measurements),
        pools=pools,
        comparisons=tuple(c for part in parts.values() for c in _comparisons(part, valid)),
        verdict=verdicts(parts, pools) if len(parts) > 1 else verdict(measurements, pools),
    )


def _comparisons(measurements: Measurements, valid: set[str]) -> tuple[Comparison, ...]:
    compared = [pool for pool in measurements.pools if pool.name in valid]
    baseline = [pool for pool in compared if pool.name == measurements.baseline]
    return comparisons(compared, baseline[0]) if baseline else ()


def summarize_pool(pool: PoolRuns) -> PoolSummary:
    """One pool's numbers, all rounds together."""
    doubts = findings.doubts(pool)
    return PoolSummary(
        name=pool.name,
        pool={key: value for key, value in pool.settings.items() if key != "name"},
        processes=pool.processes,
        rounds=len(pool.rounds),
        seconds=sum(round_.seconds for round_ in pool.rounds),
        throughput=_throughput(pool),
        checkout=_checkout(pool),
        hold_seconds=_durations(pool, "hold"),
        request_seconds=describe(pool.times("request", cut_off_by_waits=True)),
        schedule_lag_seconds=_durations(pool, "schedule_lag"),
        dropped=pool.counters["dropped"],
        arrivals=_arrivals(pool),
        connections=_connections(pool),
        errors=_errors(pool),
        generator=_generator(pool),
        server=_server(pool),
        stages=tuple(stages.rows(pool)),
        findings=doubts + findings.remarks(pool),
        valid=not doubts,
    )


def _durations(pool: PoolRuns, name: str) -> Durations:
    return describe(pool.times(name))


def _arrivals(pool: PoolRuns) -> Arrivals | None:
    if not pool.counters["arrivals"]:
        return None
    return Arrivals(
        offered_per_second=pool.counters["arrivals"] / pool.seconds,
        begun_per_second=pool.times("schedule_lag").finished.count / pool.seconds,
        dropped=pool.counters["dropped"],
    )


def _throughput(pool: PoolRuns) -> Throughput:
    per_round = [round_.throughput for round_ in pool.rounds]
    return Throughput(per_second=mean(per_round), ci95=interval95(per_round))


def _checkout(pool: PoolRuns) -> Checkout:
    wait = pool.times("wait", cut_off_by_waits=True)
    seconds = describe(pool.times("checkout", cut_off_by_waits=True))
    return Checkout(
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
    most = most_connections(pool.settings)
    return Connections(
        allowed=None if most is None else most * pool.processes,
        peak=pool.peak("open"),
        overflow_peak=pool.peak("overflow"),
        waiting_peak=pool.peak("waiting"),
        opened=pool.counters["opened"],
        closed=sum(closed),
    )


def _errors(pool: PoolRuns) -> Errors:
    prefix = "errors."
    by_kind = {n.removeprefix(prefix): c for n, c in pool.counters.items() if n.startswith(prefix)}
    requests = pool.counters["requests"]
    ordered = dict(sorted(by_kind.items(), key=lambda item: (-item[1], item[0])))
    return Errors(
        rate=pool.counters["failures"] / requests if requests else None,
        by_kind=ordered,
        kinds={kind: _error_kind(pool, kind) for kind in ordered},
    )


def _error_kind(pool: PoolRuns, kind: str) -> ErrorKind:
    intervals = [interval for run in pool.runs for interval in run.intervals]
    seconds = [i.second for i in intervals if i.counters[f"errors.{kind}"]]
    examples = [i.examples[kind] for i in intervals if kind in i.examples]
    return ErrorKind(
        first=min(seconds, default=None),
        last=max(seconds, default=None),
        example=examples[0] if examples else None,
    )


def _server(pool: PoolRuns) -> Server:
    locked = pool.server_rate("row_lock_time")
    counters: Counter[str] = sum((r.server.counters for r in pool.rounds), Counter())
    return Server(
        cpu=bounds.server_cpu(pool),
        running=pool.server_level("threads_running"),
        connected=pool.server_level("threads_connected"),
        row_lock_waiters=None if locked is None else locked / SECOND,
        aborted_connects=counters["aborted_connects"],
        refused_connects=counters["refused_connects"],
    )


def _generator(pool: PoolRuns) -> Generator:
    busiest = [round_.busiest for round_ in pool.rounds]
    length = sum(process.length for process in busiest)
    cpu = sum(process.counters["cpu"] for process in busiest)
    lag = _durations(pool, "generator_lag")
    return Generator(cpu=cpu / length if length else None, lag_p99_seconds=lag.p99)


def _environment(measurements: Measurements) -> dict[str, Any]:
    """Where it ran, as the first run tells it, and every command that was run."""
    runs = measurements.runs
    header = runs[0].header if runs else {}
    commands = dict.fromkeys(str(run.header["command"]) for run in runs if "command" in run.header)
    parts = {part: header.get(part, {}) for part in ("versions", "host", "server")}
    return {**parts, "started": header.get("started"), "commands": list(commands)}
