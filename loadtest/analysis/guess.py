"""The pool size to begin a search with, from one run with any pool."""

from __future__ import annotations

import math
from collections.abc import Iterable

from loadtest.analysis.censoring import PERCENTILES
from loadtest.analysis.measured import PoolRuns
from loadtest.objectives import Bound

_WAIT = "checkout.wait_seconds."


def first_guess(pilot: PoolRuns, most: int, bounds: Iterable[Bound] = ()) -> int:
    """How many connections the load of a pilot probably needs: from 1 to `most`.

    Only where the search begins: a hold that grows with the number of connections, or that is long
    because there were too few, makes it wrong, and the search goes on from there.
    """
    hold = pilot.times("hold").finished.mean_seconds or 0.0
    wanted = _open_loop(pilot, hold, most, bounds) if pilot.counters["arrivals"] else None
    if wanted is None:
        wanted = _closed_loop(pilot, hold)
    return min(max(math.ceil(wanted - 1e-9), 1), most)


def _closed_loop(pilot: PoolRuns, hold: float) -> float:
    """Connections in use if nobody had to wait.

    Rate x hold are in use (Little, "A proof for the queuing formula L = λW", 1961), by those users
    who do not wait; with connections for all, those who wait would do as they do.
    """
    in_use = pilot.counters["checkouts"] / pilot.seconds * hold
    users, waiting = pilot.mean_level("users"), pilot.mean_level("waiting")
    going = users - waiting
    return in_use * users / going if going >= 1 else users


def _open_loop(pilot: PoolRuns, hold: float, most: int, bounds: Iterable[Bound]) -> float:
    """The fewest connections with which a wait's percentile is within its bound (M/M/c).

    Without such a bound, and where none is enough, some more than are in use: a + sqrt(a) for a
    connections in use (Halfin and Whitt, "Heavy-traffic limits for queues with many exponential
    servers", 1981).
    """
    requests = max(pilot.counters["requests"], 1)
    arrivals = pilot.counters["arrivals"] / pilot.seconds
    rate = arrivals * pilot.counters["checkouts"] / requests
    enough = [
        next((c for c in range(1, most + 1) if _over(c, rate, hold, bound.bound) <= share), None)
        for bound in bounds
        if (share := _allowed(bound)) is not None
    ]
    known = [size for size in enough if size is not None]
    return max(known) if known else rate * hold + math.sqrt(rate * hold)


def _allowed(bound: Bound) -> float | None:
    """The share of waits that may be longer than a bound; None if it is of something else."""
    name = bound.path.removeprefix(_WAIT)
    known = bound.path.startswith(_WAIT) and bound.at_most and name in PERCENTILES
    return 1 - PERCENTILES[name] if known else None


def _over(connections: int, rate: float, hold: float, seconds: float) -> float:
    """The share of waits longer than that: C exp(-(c / hold - rate) t), C by Erlang.

    (Cooper, Introduction to Queueing Theory, 1981, chapter 3.)
    """
    offered, blocked = rate * hold, 1.0
    if offered >= connections:
        return 1.0
    for servers in range(1, connections + 1):
        blocked = offered * blocked / (servers + offered * blocked)
    waits = blocked / (1 - offered / connections * (1 - blocked))
    return waits * math.exp(-(connections - offered) * seconds / hold) if hold else 0.0
