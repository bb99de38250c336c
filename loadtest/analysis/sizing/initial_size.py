"""The first pool size of a search, from one run with any pool."""

from __future__ import annotations

import math
from collections.abc import Iterable

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.statistics.censoring import PERCENTILE_SHARES
from loadtest.analysis.statistics.queueing import wait_percentile
from loadtest.model.objective import Bound

_WAIT = "checkout.wait_seconds."


def initial_size(
    pilot: PoolRuns, most: int, bounds: Iterable[Bound] = (), processes: int = 1
) -> int:
    """An estimate of the connections that the load of a pilot needs: from 1 to `most`.

    processes: those that share the load, each with a pool of this size.
    It is a start only. It is wrong if the hold grows with the number of connections, or was long
    because there were too few; the search then corrects it.
    """
    hold = pilot.times("hold").finished.mean_seconds or 0.0
    wanted = _closed_loop(pilot, hold) / processes
    if pilot.counters["arrivals"]:
        wanted = _open_loop(pilot, hold, most, bounds, processes)
    return min(max(math.ceil(wanted - 1e-9), 1), most)


def _closed_loop(pilot: PoolRuns, hold: float) -> float:
    """The connections in use without waiting.

    Rate x hold are in use (Little, "A proof for the queuing formula L = λW", 1961), by the users
    that do not wait. With connections for all, the waiting users would behave like these.
    """
    in_use = pilot.counters["checkouts"] / pilot.seconds * hold
    users, waiting = pilot.mean_level("users"), pilot.mean_level("waiting")
    going = users - waiting
    return in_use * users / going if going >= 1 else users


def _open_loop(
    pilot: PoolRuns, hold: float, most: int, bounds: Iterable[Bound], processes: int
) -> float:
    """The fewest connections with which a wait's percentile is within its bound (M/M/c).

    Without such a bound, or if none is enough, it is a + sqrt(a) for a connections in use
    (Halfin and Whitt, "Heavy-traffic limits for queues with many exponential servers", 1981).
    """
    requests = max(pilot.ended_requests, 1)
    arrivals = pilot.counters["arrivals"] / pilot.seconds
    rate = arrivals * pilot.counters["checkouts"] / requests / processes
    enough = [_fewest(bound, rate, hold, most) for bound in bounds]
    known = [size for size in enough if size is not None]
    return max(known, default=rate * hold + math.sqrt(rate * hold))


def _fewest(bound: Bound, rate: float, hold: float, most: int) -> int | None:
    share = _share(bound)
    if share is None:
        return None
    sizes = range(1, most + 1)
    return next((c for c in sizes if wait_percentile(c, rate, hold, share) <= bound.limit), None)


def _share(bound: Bound) -> float | None:
    """The share of waits that a bound limits; None if it limits something else."""
    name = bound.path.removeprefix(_WAIT)
    known = bound.path.startswith(_WAIT) and bound.at_most and name in PERCENTILE_SHARES
    return PERCENTILE_SHARES[name] if known else None
