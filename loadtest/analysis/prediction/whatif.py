"""Other settings of a pool, predicted from a measured workload by simulation."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from loadtest.analysis.prediction.measured_pool import MeasuredPool
from loadtest.analysis.prediction.observed_workload import Observed
from loadtest.analysis.prediction.simulation import simulate
from loadtest.analysis.prediction.workload import SimulationOutcome
from loadtest.analysis.statistics.queueing import most_throughput
from loadtest.model.durations import Durations
from loadtest.model.pool import PoolConfig

# Simulated checkouts per cell, and the number of replications.
CHECKOUTS = 10_000
LEAST_REPLICATIONS, MOST_REPLICATIONS = 3, 10
# Fewer cells are not worth starting processes for.
WORTH_PROCESSES = 4
# Connections in use beyond what was measured by more than this share are an extrapolation.
EXTRAPOLATED_SHARE = 0.10
SEED = 1


@dataclass(frozen=True)
class PredictedPool:
    """The prediction for a pool, over all processes together; times in seconds.

    throughput: checkouts served per second; throughput_error: its standard error over the
    replications. timeouts: the share of checkouts. in_use: mean connections; peak: the most open at
    once; used: how many different ones. opened: per second. dropped: the share of arrivals of an
    open loop that found no free user. bound: whether waits are lower bounds. extrapolated: whether
    the connections in use are outside the measured range. overloaded: whether an open loop exceeds
    what all connections can serve, so that the wait grows for as long as the load lasts.
    generator: the share of a core that each process of the load generator would need. measured:
    the pool that ran with these settings.
    """

    settings: PoolConfig
    throughput: float
    throughput_error: float
    wait: Durations
    timeouts: float
    in_use: float
    peak: int
    used: int
    opened: float
    dropped: float
    bound: bool
    extrapolated: bool
    overloaded: bool
    generator: float
    measured: str | None = None


@dataclass(frozen=True)
class Prediction:
    """Cells for the requested settings and for the measured ones."""

    cells: Sequence[PredictedPool]
    checks: Sequence[tuple[MeasuredPool, PredictedPool]]
    observed: Observed


def predict(observed: Observed, pools: Sequence[PoolConfig], workers: int = 0) -> Prediction:
    """Predictions for some pools, and for the pools that ran.

    workers: processes to compute in; zero for one per processor.
    """
    ran = [one for one in observed.ran if one.settings]
    asked = list(dict.fromkeys([*pools, *(one.settings for one in ran if one.settings)]))
    cells = dict(zip(asked, _cells(observed, asked, workers), strict=True))
    return Prediction(
        cells=[cells[pool] for pool in pools],
        checks=[(one, cells[one.settings]) for one in ran if one.settings],
        observed=observed,
    )


def _cells(observed: Observed, pools: Sequence[PoolConfig], workers: int) -> list[PredictedPool]:
    workers = min(workers or os.cpu_count() or 1, len(pools))
    if workers == 1 or len(pools) < WORTH_PROCESSES:
        return [predict_pool(observed, pool) for pool in pools]
    with ProcessPoolExecutor(workers) as processes:
        return list(processes.map(partial(predict_pool, observed), pools))


def predict_pool(observed: Observed, pool: PoolConfig) -> PredictedPool:
    """The prediction for one pool."""
    outcomes = list(_outcomes(observed, pool))
    served = [one.served / one.seconds for one in outcomes]
    rate, number = float(np.mean(served)), observed.processes
    asked = sum(one.asked for one in outcomes)
    dropped = sum(one.dropped for one in outcomes)
    in_use = float(np.mean([one.in_use for one in outcomes]))
    return PredictedPool(
        settings=pool,
        throughput=rate * number,
        throughput_error=float(np.std(served, ddof=1)) / math.sqrt(len(served)) * number,
        wait=_durations([wait for one in outcomes for wait in one.waits]),
        timeouts=sum(one.timeouts for one in outcomes) / max(asked, 1),
        in_use=in_use * number,
        peak=max(one.peak for one in outcomes) * number,
        used=max(one.used for one in outcomes) * number,
        opened=float(np.mean([one.opened / one.seconds for one in outcomes])) * number,
        dropped=dropped / max(asked + dropped, 1),
        bound=any(one.left for one in outcomes),
        extrapolated=_beyond(observed, in_use),
        overloaded=_overloaded(observed, pool),
        generator=rate * observed.cpu[observed.workload.hold.nearest(round(in_use))],
        measured=next((one.name for one in observed.ran if one.settings == pool), None),
    )


def _outcomes(observed: Observed, pool: PoolConfig) -> Iterator[SimulationOutcome]:
    """Simulated runs like the measured one, or their beginnings, with enough checkouts."""
    expected = _expected(observed, pool)
    seconds = min(observed.seconds, max(CHECKOUTS / LEAST_REPLICATIONS / expected, 1.0))
    number = math.ceil(CHECKOUTS / expected / seconds)
    for replication in range(min(max(number, LEAST_REPLICATIONS), MOST_REPLICATIONS)):
        seed = SEED + replication
        yield simulate(pool, observed.workload, observed.warmup, seconds, seed)


def _expected(observed: Observed, pool: PoolConfig) -> float:
    """An estimate of the checkouts per second, without queueing."""
    work = observed.workload
    if work.rate is not None:
        return work.rate
    most, hold = _at_most(observed, pool)
    return max(0.1, min(most_throughput(work.users, most, work.away(most), hold), 1e6))


def _overloaded(observed: Observed, pool: PoolConfig) -> bool:
    most, hold = _at_most(observed, pool)
    return observed.workload.rate is not None and observed.workload.rate * hold >= most


def _at_most(observed: Observed, pool: PoolConfig) -> tuple[int, float]:
    """The most connections that can be in use at once, and their hold (s)."""
    most = pool.connections_for(observed.workload.users)
    return most, observed.workload.hold.mean(most)


def _durations(waits: Sequence[float]) -> Durations:
    if not waits:
        return Durations()
    values = np.array(waits)
    p50, p90, p95, p99 = np.percentile(values, (50, 90, 95, 99)).tolist()
    mean, longest = float(values.mean()), float(values.max())
    return Durations(mean=mean, p50=p50, p90=p90, p95=p95, p99=p99, max=longest)


def _beyond(observed: Observed, in_use: float) -> bool:
    levels = observed.workload.hold.levels
    return (
        not levels[0] * (1 - EXTRAPOLATED_SHARE) <= in_use <= levels[-1] * (1 + EXTRAPOLATED_SHARE)
    )
