"""The arrivals of a recording, served again by a pool with other settings.

Arrivals do not depend on the pool, and waiting checkouts are served in order. So the wait of a
checkout follows from the ends of the holds before it (Kiefer and Wolfowitz, "On the theory of
queues with many servers", 1955). A returned connection is kept while fewer than `pool_size` are
idle, as in SQLAlchemy's QueuePool. Times are seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace

import numpy as np
import numpy.typing as npt

from loadtest.model.pool import PoolConfig

Times = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ServedArrivals:
    """The outcome of some arrivals in one process.

    waits: of all checkouts; that of a timeout is `pool_timeout`. opened: connections. most_open: at
    once. at_once: the most checkouts in progress at once, those that wait or hold a connection.
    """

    waits: Times
    timeouts: int
    opened: int
    most_open: int
    at_once: int


def serve_arrivals(
    pool: PoolConfig, arrivals: Times, holds: Times, connects: Times
) -> ServedArrivals:
    """Serve arrivals, in order of time; holds, connects: the times that each one would need."""
    most = math.inf if pool.most_connections is None else pool.most_connections
    kept = math.inf if pool.kept_connections is None else pool.kept_connections
    busy: list[float] = []  # when each connection becomes free, also from the waiting checkouts
    waits, leaves = np.zeros(len(arrivals)), np.empty(len(arrivals))
    idle, opened, most_open, timeouts = 0.0, 0, 0, 0
    needs = zip(arrivals.tolist(), holds.tolist(), connects.tolist(), strict=True)
    for number, (at, hold, connect) in enumerate(needs):
        while busy and busy[0] <= at:
            heappop(busy)
            idle = min(idle + 1, kept)
        if idle:
            idle -= 1
            heappush(busy, end := at + hold)
        elif len(busy) < most:
            opened += 1
            heappush(busy, end := at + connect + hold)
            most_open = max(most_open, len(busy))
        elif busy[0] - at <= pool.pool_timeout:
            waits[number] = busy[0] - at
            heapreplace(busy, end := busy[0] + hold)
        else:
            waits[number], end = pool.pool_timeout, at + pool.pool_timeout
            timeouts += 1
        leaves[number] = end
    return ServedArrivals(waits, timeouts, opened, most_open, _most_at_once(arrivals, leaves))


def _most_at_once(arrivals: Times, leaves: Times) -> int:
    left = np.searchsorted(np.sort(leaves), arrivals, side="right")
    return int((np.arange(1, len(arrivals) + 1) - left).max(initial=0))
