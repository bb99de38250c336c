"""Other settings of a recorded pool: its arrivals and holds replayed, with 95 % intervals.

Each replay has the recorded number of arrivals in each second, at random moments of it. It draws
stretches of the recording, whose holds and whose split among the processes the arrivals get. So the
interval is for the same arrivals at another time, not for other arrivals.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from loadtest.analysis.prediction.recorded_arrivals import RecordedArrivals
from loadtest.analysis.prediction.recorded_stretches import HoldError
from loadtest.analysis.prediction.replay import ServedArrivals, serve_arrivals
from loadtest.analysis.prediction.samples import p95_seconds
from loadtest.analysis.prediction.whatif import SEED
from loadtest.model.field_types import Interval95
from loadtest.model.pool import PoolConfig

# Checkouts of all replays of a pool, and the number of replays.
REPLAYED_CHECKOUTS = 1_000_000
LEAST_REPLAYS, MOST_REPLAYS = 40, 400
REPLAY_PERCENTILES = (2.5, 50, 97.5)


@dataclass(frozen=True)
class PredictedValue:
    """A predicted value, and its 95 % interval for the same arrivals at another time."""

    value: float
    ci95: Interval95

    @classmethod
    def of(cls, replays: Sequence[float]) -> PredictedValue:
        """The median of the replays, and the interval that misses another one at a rate of 5 %.

        Another value is below the r-th of n with a probability of r / (n + 1) (Weibull).
        """
        found = np.percentile(replays, REPLAY_PERCENTILES, method="weibull").tolist()
        low, middle, high = found
        return cls(middle, (low, high))


@dataclass(frozen=True)
class ReplayedPool:
    """The prediction for the pools of all processes together.

    timeouts: the share of checkouts. wait_mean, wait_p95: seconds; that of a timeout is
    `pool_timeout`. connections: the most open at once, a sum of the processes' peaks. at_once: the
    most checkouts in progress at once in one process. recorded: whether these settings ran.
    """

    settings: PoolConfig
    timeouts: PredictedValue
    wait_mean: PredictedValue
    wait_p95: PredictedValue
    connections: PredictedValue
    at_once: int
    recorded: bool


def replay_pools(
    recorded: RecordedArrivals, pools: Sequence[PoolConfig], workers: int = 0
) -> list[ReplayedPool]:
    """The predictions for some pools; workers: processes to compute in, zero for all processors."""
    workers = min(workers or os.cpu_count() or 1, len(pools))
    if workers < 2:
        return [replay_pool(recorded, pool) for pool in pools]
    with ProcessPoolExecutor(workers) as processes:
        return list(processes.map(partial(replay_pool, recorded), pools))


def replay_pool(recorded: RecordedArrivals, pool: PoolConfig) -> ReplayedPool:
    """The prediction for one pool; each process has such a pool."""
    replays = list(_replays(recorded, pool))
    timeouts, mean, late, connections, at_once = zip(*replays, strict=True)
    return ReplayedPool(
        settings=pool,
        timeouts=PredictedValue.of(timeouts),
        wait_mean=PredictedValue.of(mean),
        wait_p95=PredictedValue.of(late),
        connections=PredictedValue.of(connections),
        at_once=int(np.median(at_once)),
        recorded=recorded.has_queue and pool == recorded.settings,
    )


def _replays(
    recorded: RecordedArrivals, pool: PoolConfig
) -> Iterator[tuple[float, float, float, int, int]]:
    """The values of each replay, in the order of the fields of a ReplayedPool."""
    number = min(max(REPLAYED_CHECKOUTS // max(recorded.asked, 1), LEAST_REPLAYS), MOST_REPLAYS)
    for replay in range(number):
        numbers = np.random.default_rng((SEED, replay))
        served = _replayed(recorded, pool, numbers)
        waits = np.concatenate([one.waits for one in served])
        together = (sum(served[n].most_open for n in alive) for alive in recorded.alive)
        yield (
            sum(one.timeouts for one in served) / len(waits),
            float(waits.mean()),
            p95_seconds(waits),
            max(together),
            max(one.at_once for one in served),
        )


def _replayed(
    recorded: RecordedArrivals, pool: PoolConfig, numbers: np.random.Generator
) -> list[ServedArrivals]:
    """What each process did in one replay.

    A checkout without any queue takes time, too, and from a returned connection on also after one.
    """
    longer = hold_factor(recorded.hold_error, numbers)
    served = []
    for at, holds, overheads in recorded.fleet.again(numbers):
        connects = numbers.choice(recorded.connects, len(holds))
        one = serve_arrivals(pool, at, holds * longer + overheads, connects)
        served.append(replace(one, waits=one.waits + overheads))
    return served


def hold_factor(known: HoldError, numbers: np.random.Generator) -> float:
    """The factor of all holds at another time, beside what stretches of the recording show."""
    return math.exp(known.unseen * numbers.standard_t(known.freedom))
