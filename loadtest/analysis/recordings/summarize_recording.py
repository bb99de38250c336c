"""The results of a recording."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from loadtest.analysis.recordings.fix_value import fix_value
from loadtest.analysis.recordings.full_times import full_seconds, full_times
from loadtest.analysis.recordings.place_numbers import recorded_places, recorded_shortages
from loadtest.analysis.recordings.pool_judgement import idle_holders, is_short
from loadtest.analysis.recordings.pool_seconds import ENGINES
from loadtest.analysis.recordings.read_recording import Recording
from loadtest.analysis.recordings.recorded_pool import RecordedPool, RecordedProcess
from loadtest.analysis.recordings.recording_findings import recording_findings
from loadtest.analysis.recordings.recording_verdict import recording_verdict
from loadtest.analysis.statistics.censoring import CensoredTimes, describe
from loadtest.model.distribution import Distribution
from loadtest.model.durations import Durations
from loadtest.model.interval import ENDED_CHECKOUTS, SECOND, Gauge
from loadtest.model.recording_summary import (
    BusyTime,
    RecordedCheckouts,
    RecordedConnections,
    RecordedPoolSummary,
    RecordingSummary,
    TimeSpan,
)

BUSIEST_SECONDS = 60
_SOURCES = ("pooled", "new", "overflow", "reconnect")


def summarize_recording(recording: Recording) -> RecordingSummary:
    """The numbers, findings and verdict of a recording."""
    pools = tuple(map(recorded_pool_summary, recording.pools))
    return RecordingSummary(
        application=recording.application,
        environment=_environment(recording.pools[0]),
        begin=min(pool.begin for pool in pools),
        end=max(pool.end for pool in pools),
        going_on=tuple(recording.going_on),
        problems=tuple(recording.problems),
        pools=pools,
        verdict=recording_verdict(pools),
    )


def recorded_pool_summary(pool: RecordedPool, *, simulated: bool = True) -> RecordedPoolSummary:
    """The numbers and findings of one pool; simulated: with the value of a fix."""
    numbers = _numbers(pool)
    idle = idle_holders(numbers)
    if idle and simulated:
        fix = fix_value(pool, idle, numbers.busiest, short=is_short(numbers))
        numbers = numbers.model_copy(update={"fix": fix})
    return numbers.model_copy(update={"findings": recording_findings(numbers)})


def _numbers(pool: RecordedPool) -> RecordedPoolSummary:
    seconds, whole = pool.by_second, pool.total
    return RecordedPoolSummary(
        name=pool.name,
        database=pool.database,
        settings=tuple(_settings(one) for one in pool.settings),
        made_at=pool.made_at,
        processes=len(pool.processes),
        processes_most=seconds.most_processes,
        begin=seconds.begin,
        seconds=pool.seconds,
        gaps=tuple(TimeSpan(begin=begin, end=end) for begin, end in seconds.gaps),
        checkout=_checkouts(pool),
        hold_seconds=_times(pool, "hold"),
        connections=_connections(pool),
        full_seconds=int(full_seconds(seconds).sum()),
        full=tuple(full_times(seconds)),
        coarse_seconds=sum(one.coarse_seconds for one in pool.processes),
        busiest=_busiest(pool),
        nested={name: use.nested for name, use in whole.tasks.items() if use.nested},
        places=tuple(recorded_places(pool)),
        shortages=tuple(recorded_shortages(pool)),
        fix=None,
        findings=(),
    )


def _settings(settings: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(settings).items() if name != "name"}


def _times(pool: RecordedPool, name: str) -> Durations:
    return describe(CensoredTimes(pool.total.histograms.get(name, Distribution())))


def _checkouts(pool: RecordedPool) -> RecordedCheckouts:
    whole, counters = pool.total, pool.total.counters
    waits = CensoredTimes(whole.histograms.get("wait", Distribution()), whole.unfinished)
    return RecordedCheckouts(
        attempts=pool.checkout_attempts,
        count=counters["checkouts"],
        timeouts=counters["timeouts"],
        errors=counters["checkout_errors"],
        attempts_per_second=pool.checkout_attempts / pool.seconds,
        by_source={name: counters[f"checkouts.{name}"] for name in _SOURCES},
        wait_seconds=describe(waits),
        connect_seconds=_times(pool, "connect"),
    )


def _connections(pool: RecordedPool) -> RecordedConnections:
    seconds, counters = pool.by_second, pool.total.counters
    allowed = seconds.highest_limit
    closed = sum(number for name, number in counters.items() if name.startswith("closed."))
    return RecordedConnections(
        allowed=None if allowed == float("inf") else int(allowed),
        in_use=float(seconds.level("in_use").sum()) / pool.seconds,
        in_use_most=int(seconds.most("in_use").max(initial=0)),
        open_most=int(seconds.most("open").max(initial=0)),
        waiting_most=int(seconds.most("waiting").max(initial=0)),
        opened=counters["opened"],
        closed=closed,
        engines_most=int(seconds.most(ENGINES).max(initial=0)),
        engines_of_process=max(map(_engines, pool.processes), default=1),
    )


def _engines(process: RecordedProcess) -> int:
    """The engines of a process at most times."""
    engines = process.total.gauges.get(ENGINES, Gauge())
    return round(engines.integral / max(process.total.length, 1))


def _busiest(pool: RecordedPool) -> BusyTime:
    seconds = pool.by_second
    begin, end = seconds.busiest(BUSIEST_SECONDS)
    here = slice(begin - seconds.begin, end - seconds.begin)
    length = max(1, int((seconds.processes[here] > 0).sum()))
    number, total = (int(column[here].sum()) for column in seconds.times("wait"))
    return BusyTime(
        period=TimeSpan(begin=begin, end=end),
        attempts_per_second=int(seconds.count(*ENDED_CHECKOUTS)[here].sum()) / length,
        in_use=float(seconds.level("in_use")[here].sum()) / length,
        in_use_most=int(seconds.most("in_use")[here].max(initial=0)),
        waiting_most=int(seconds.most("waiting")[here].max(initial=0)),
        wait_seconds_mean=total / number / SECOND if number else None,
        timeouts=int(seconds.count("timeouts")[here].sum()),
    )


def _environment(pool: RecordedPool) -> dict[str, Any]:
    first = pool.processes[0].headers[0]
    hosts = sorted({one.name.rpartition("-")[0] for one in pool.processes})
    host = {"cpus": first.host.cpus, "platform": first.host.platform}
    return {"versions": dict(first.versions), "host": host, "hosts": hosts}
