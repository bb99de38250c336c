"""The workload of a result: users that ask its pools for connections, for a simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loadtest.analysis.findings.mostly_failing import without_success
from loadtest.analysis.findings.rules import doubts
from loadtest.analysis.pool_runs import Measurements, PoolRuns
from loadtest.analysis.prediction import overtaking
from loadtest.analysis.prediction.driven_users import (
    EXPONENTIAL,
    driven_notes,
    generator_share,
    users_level,
)
from loadtest.analysis.prediction.measured_pool import MeasuredPool, as_measured, queue_settings
from loadtest.analysis.prediction.samples import samples, scaled
from loadtest.analysis.prediction.stalls import Stalls, stalls
from loadtest.analysis.prediction.workload import NO_TIME, ByLevel, Samples, Workload
from loadtest.analysis.units import count, duration, level, listed, percent
from loadtest.model.distribution import Distribution
from loadtest.model.errors import InvalidMeasurement, UsageError
from loadtest.model.interval import SECOND
from loadtest.model.load import DROP_AFTER_SECONDS
from loadtest.model.pool import PoolConfig
from loadtest.runfile.schema import Load

# Levels of connections in use that are this close (a share, a number) count as one.
SAME_LEVEL, LEAST_LEVEL_STEP = 0.05, 0.5
# Users that are away for fewer turns of the event loop than this, or for less than this (s), do
# not pause: the code around a task, and a timer that epoll rounds up, take that long.
PAUSE, LEAST_PAUSE = 2.0, 0.005


@dataclass(frozen=True)
class Observed:
    """The common workload of the valid pools of a result, for one process.

    settings: the pool that gives predictions their other settings. processes: their number, each
    with such a pool and such a workload. cpu: seconds of the generator's CPU for each checkout, at
    each of the workload's levels of connections in use. notes: limits of the prediction.
    """

    workload: Workload
    settings: PoolConfig
    processes: int
    warmup: float
    seconds: float
    ran: Sequence[MeasuredPool]
    notes: Sequence[str]
    cpu: Sequence[float]


def observe(measurements: Measurements) -> Observed:
    """The workload of a result.

    Raises UsageError if its load is not steady, InvalidMeasurement if none of its pools is valid.
    """
    pools = _usable(measurements)
    load = pools[0].header.load
    processes = max(pool.processes for pool in pools)
    warmup = load.warmup or 0.0
    seconds = _mean([round_.seconds for pool in pools for round_ in pool.rounds])
    workload = overtaking.with_overtaking(
        _workload(pools, load, processes), list(_served(pools)), warmup
    )
    return Observed(
        workload=workload,
        settings=_settings(pools, measurements.baseline),
        processes=processes,
        warmup=warmup,
        seconds=seconds,
        ran=[as_measured(pool) for pool in pools],
        notes=list(_notes(measurements, pools, workload)),
        cpu=[_cpu_per_checkout(group) for _, group in _levels(pools)],
    )


def _usable(measurements: Measurements) -> list[PoolRuns]:
    measured = [pool for pool in measurements.pools if not doubts(pool) and pool.checkout_attempts]
    valid = [pool for pool in measured if not without_success(pool)]
    if not valid:
        going_on = [run.path.name for run in measurements.runs if not run.end]
        if going_on:
            raise InvalidMeasurement(
                f"nothing can be predicted: {listed(going_on)} has no end, so this run is still "
                "going on or was interrupted; wait for its end, or give another result"
            )
        raise InvalidMeasurement(
            "nothing can be predicted: none of these pools was measured properly (loadtest report "
            "shows why)"
        )
    if any(pool.stages for pool in valid):
        raise UsageError("a load in stages is not steady: measure one stage, and predict from that")
    # Another user model or server changes all times.
    first = valid[0]
    return [p for p in valid if (p.model, p.server) == (first.model, first.server)]


def _workload(pools: Sequence[PoolRuns], load: Load, processes: int) -> Workload:
    rate = load.arrival_rate
    groups = _levels(pools)
    driven = pools[0].driven  # then the users are not in the process of the pool
    lags = (Distribution() if driven else _times(group, "generator_lag") for _, group in groups)
    still = [stalls(lag) for lag in lags]
    handover, outside = (NO_TIME, (0.0,)) if rate else _outside(pools, groups)
    levels = tuple(used for used, _ in groups)
    ended = sum(pool.ended_requests for pool in pools)
    return Workload(
        users=max(1, round((load.users or 1) / processes)),
        hold=ByLevel(
            levels, tuple(_hold(group, of) for (_, group), of in zip(groups, still, strict=True))
        ),
        stalls=tuple(still),
        handover=handover,
        outside=outside,
        yielding=1.0 if driven else min(1.0, ended / _attempts(pools)),
        connect=_connect(groups),
        ping=samples(_times(pools, "ping")) or (0.0,),
        rate=rate and rate * _checkouts_per_arrival(pools) / processes,
        even=load.arrivals == "even",
        drop_after=(load.drop_after or DROP_AFTER_SECONDS) if rate else math.inf,
    )


def _outside(
    pools: Sequence[PoolRuns], groups: Sequence[tuple[float, list[PoolRuns]]]
) -> tuple[ByLevel, Samples]:
    """The time from a return to the next checkout: until a user gets a turn, and its pause.

    Without a pause all of it is waiting for the turn, which notified users get at the same time.
    A pause has the shape of the pauses between tasks.
    """
    mean, turn = _away(pools), _times(pools, "generator_lag").mean_seconds or 0.0
    if pools[0].driven:
        return NO_TIME, scaled(EXPONENTIAL, mean)
    if mean < max(PAUSE * turn, LEAST_PAUSE):
        turns = {used: (_away(group),) for used, group in groups}
        return ByLevel(tuple(turns), tuple(turns.values())), (0.0,)
    return NO_TIME, scaled(samples(_times(pools, "think")), mean)


def _away(pools: Sequence[PoolRuns]) -> float:
    """The mean time (s) that users spend outside the pool between checkouts, by Little's law.

    Users that neither wait nor connect nor hold, divided by the rate of checkouts.
    """
    users = sum(users_level(pool) * pool.seconds for pool in pools)
    return max(0.0, users - sum(map(_inside, pools))) / _attempts(pools)


def _served(pools: Sequence[PoolRuns]) -> Iterator[overtaking.ServedLevel]:
    """The checkouts at each level that did not wait, for pools with a queue."""
    for level_, group in _levels(pools):
        queues = [pool for pool in group if queue_settings(pool.settings)]
        settings = next(
            (found for pool in queues if (found := queue_settings(pool.settings))), None
        )
        if settings:
            rate = _total(queues, "checkouts") / sum(p.seconds * p.processes for p in queues)
            share = overtaking.share_at_once(_times(queues, "wait"))
            yield overtaking.ServedLevel(level_, settings, rate, share)


def _inside(pool: PoolRuns) -> float:
    """User seconds spent waiting for connections, opening and holding them."""
    levels = pool.mean_level("waiting") + pool.mean_level("in_use")
    return levels * pool.seconds + pool.spent("connect", "reconnect", "ping")


def _levels(pools: Sequence[PoolRuns]) -> list[tuple[float, list[PoolRuns]]]:
    """The pools by their connections in use per process; close levels count as one."""
    returned = [pool for pool in pools if pool.times("hold").finished.count]
    if not returned:
        raise InvalidMeasurement("nothing can be predicted: no connection was returned")
    groups: list[tuple[float, list[PoolRuns]]] = []
    for pool in sorted(returned, key=_in_use):
        used = _in_use(pool)
        if groups and used - groups[-1][0] <= max(SAME_LEVEL * used, LEAST_LEVEL_STEP):
            together = [*groups.pop()[1], pool]
            groups.append((_mean([_in_use(one) for one in together]), together))
        else:
            groups.append((used, [pool]))
    return groups


def _in_use(pool: PoolRuns) -> float:
    return pool.mean_level("in_use") / pool.processes


def _hold(group: Sequence[PoolRuns], still: Stalls) -> Samples:
    """The hold times, without the part that the generator's stalls add.

    The mean is from Little's law, connections in use over the rate of checkouts: histograms lack
    the longest holds, which had not ended with the measurement.
    """
    used = sum(pool.mean_level("in_use") * pool.seconds for pool in group)
    mean = used / max(_total(group, "checkouts"), 1)
    return scaled(samples(_times(group, "hold")), mean - min(still.mean_delay, mean / 2))


def _connect(groups: Sequence[tuple[float, list[PoolRuns]]]) -> ByLevel:
    """The connect times at each level, otherwise those of the warm-up.

    Levels are separate: many connects at once take longer than a single one in overflow.
    """
    measured = [(used, samples(_times(group, "connect"))) for used, group in groups]
    before = [(used, samples(_when_warm(group))) for used, group in groups]
    known = [one for one in measured if one[1]] or [one for one in before if one[1]]
    return ByLevel(*(tuple(side) for side in zip(*known, strict=True))) if known else NO_TIME


def _settings(pools: Sequence[PoolRuns], baseline: str) -> PoolConfig:
    """The settings of the baseline, else of the first pool with a queue, else SQLAlchemy's."""
    ordered = sorted(pools, key=lambda pool: pool.name != baseline)
    return next(
        (found for pool in ordered if (found := queue_settings(pool.settings))), PoolConfig()
    )


def _notes(measurements: Measurements, pools: Sequence[PoolRuns], work: Workload) -> Iterator[str]:
    names = {pool.name for pool in pools}
    left_out = [pool.name for pool in measurements.pools if pool.name not in names]
    if left_out:
        yield f"Left out: {listed(left_out)} (not valid, or another model of users or server)."
    levels = work.hold.levels
    if len(levels) > 1:
        said = listed([level(used) for used in levels])
        yield (
            f"Hold was measured at {said} connections in use. Between these numbers it is "
            "interpolated (a power law)."
        )
    else:
        yield (
            f"Hold is assumed constant, as it was measured at {level(levels[0])} connections in "
            "use only. It grows if transactions hinder each other: measure two pool sizes."
        )
    if work.rate is None:
        away = duration(_away(pools))
        yield f"By Little's law a user spends {away} outside the pool between checkouts."
    yield from driven_notes(pools)
    yield from overtaking.overtaking_note(work, list(_served(pools)))
    if not _times(pools, "connect").count:
        yield "Connect times come from the warm-up: no connection was opened while measuring."
    nested = sum(use.nested for pool in pools for use in pool.tasks.values())
    if nested:
        yield (
            f"{count(nested)} checkouts were made by users who already held a connection. The "
            "simulation has no such users, and no deadlock between them."
        )
    failed = _total(pools, "failures") / max(_total(pools, "requests"), 1)
    if failed > 0.01:
        yield f"The prediction is of checkouts, not success: {percent(failed)} of requests failed."
    if pools[0].header.load.faults:
        yield "The measurement includes planned faults: they affect all times."


def _times(pools: Sequence[PoolRuns], name: str) -> Distribution:
    return sum((pool.times(name).finished for pool in pools), Distribution())


def _when_warm(pools: Sequence[PoolRuns]) -> Distribution:
    """The connects of the warm-up."""
    parts = [part for pool in pools for one in pool.attempts for part in one.data.stretches]
    found = [part.histograms["connect"] for part in parts if "connect" in part.histograms]
    return sum(found, Distribution())


def _attempts(pools: Sequence[PoolRuns]) -> int:
    return sum(pool.checkout_attempts for pool in pools)


def _total(pools: Sequence[PoolRuns], counter: str) -> int:
    return sum(pool.counters[counter] for pool in pools)


def _checkouts_per_arrival(pools: Sequence[PoolRuns]) -> float:
    begun = _times(pools, "schedule_lag").count
    return _attempts(pools) / begun if begun else 1.0


def _cpu_per_checkout(pools: Sequence[PoolRuns]) -> float:
    used = sum(pool.counters["cpu"] * generator_share(pool) for pool in pools)
    return used / SECOND / max(_total(pools, "checkouts"), 1)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)
