"""Predictions compared with later measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loadtest.analysis.findings.rules import doubts
from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.prediction.measured_pool import MeasuredPool, as_measured
from loadtest.analysis.prediction.observed_workload import Observed
from loadtest.analysis.prediction.whatif import PredictedPool, Prediction, predict_pool
from loadtest.model.load import LoadConfig
from loadtest.model.pool import PoolConfig

MOST_POOLS = 3


@dataclass(frozen=True)
class ValidatedPool:
    """A pool that was predicted, then measured; measured: None if that failed.

    before: the same pool in the result, if it is there. A difference between both is not due to
    the pool, but for example to a busy machine.
    """

    predicted: PredictedPool
    measured: MeasuredPool | None
    valid: bool
    before: MeasuredPool | None = None


def pools_to_measure(prediction: Prediction) -> list[PoolConfig]:
    """The settings to measure: those with the fewest, the most and a middle number of connections.

    Unmeasured settings are preferred; settings that the number of users makes equal count once.
    """
    users = prediction.observed.workload.users
    cells = [one for one in prediction.cells if not one.measured] or list(prediction.cells)
    by_connections = {one.settings.connections_for(users): one.settings for one in reversed(cells)}
    ranked = [by_connections[most] for most in sorted(by_connections)]
    if len(ranked) <= MOST_POOLS:
        return ranked
    return [ranked[round(n * (len(ranked) - 1) / (MOST_POOLS - 1))] for n in range(MOST_POOLS)]


def control_pool(prediction: Prediction) -> list[PoolConfig]:
    """A measured pool to repeat, which shows whether conditions changed; empty if there is none."""
    return [cell.settings for _, cell in prediction.checks[:1]]


def validate(
    observed: Observed, load: LoadConfig, pools: Sequence[PoolConfig], measurements: Measurements
) -> list[ValidatedPool]:
    """Predictions for these pools under this load, with the measurements."""
    shorter = replace(observed, warmup=load.warmup, seconds=load.duration)
    found = {pool.name: pool for pool in measurements.pools if pool.rounds}
    return [
        ValidatedPool(
            predicted=predict_pool(shorter, pool),
            measured=as_measured(found[pool.name]) if pool.name in found else None,
            valid=pool.name in found and not doubts(found[pool.name]),
            before=next((one for one in observed.ran if one.settings == pool), None),
        )
        for pool in pools
    ]
