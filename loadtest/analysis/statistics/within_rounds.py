"""How uneven the seconds within rounds were: for figures only, as rounds decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.model.field_types import Interval95
from loadtest.model.interval import SECOND

OUTER_PERCENTILES = (10, 90)


@dataclass(frozen=True)
class SecondsSpread:
    """The tenth and the ninetieth percentile of a pool's seconds.

    throughput: requests per second that succeeded. wait_p95: each second's p95 of the wait (s).
    """

    throughput: Interval95
    wait_p95: Interval95


def seconds_spread(pool: PoolRuns) -> SecondsSpread | None:
    """The spread of all seconds of all rounds; None if there are too few."""
    seconds = [one for round_ in pool.rounds for one in round_.data.batches]
    known = [p95 for round_ in pool.rounds for p95 in round_.data.wait_p95s]
    if len(known) < 2:
        return None
    return SecondsSpread(
        _outer([one.successes * SECOND / one.length for one in seconds]), _outer(known)
    )


def _outer(values: Sequence[float]) -> Interval95:
    low, high = np.percentile(values, OUTER_PERCENTILES).tolist()
    return low, high
