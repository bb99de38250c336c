"""How large the pools of a search may be: as large as the limits of the server allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from loadtest.database.preflight.checks import connections_allowed
from loadtest.database.preflight.situation import Demand, Situation
from loadtest.model.experiment import Experiment
from loadtest.model.pool import pool_of_size


def largest_pools(experiment: Experiment, now: Situation, processes: int) -> dict[int, int]:
    """The largest pool of a search by the number of processes that is asked for (0: none is).

    processes: those with pools when the largest number is asked for. At least 1, so that the
    checks of the server say what it lacks.
    """
    allowed, most = connections_allowed(now), experiment.pool[-1].pool_size
    return {
        asked: most if allowed is None else max(1, min(most, allowed // running))
        for asked, running in _running(experiment.processes or (0,), processes).items()
    }


def largest_demand(demand: Demand, largest: Mapping[int, int], processes: int) -> Demand:
    """The demand of the number of processes that needs the most connections with its largest pool.

    demand: with the first pool of a search and its largest one.
    """
    pilot = demand.pools[0]
    each = [
        replace(demand, processes=running, pools=(pilot, pool_of_size(largest[asked])))
        for asked, running in _running([*largest], processes).items()
    ]
    return max(each, key=lambda one: one.most)


def _running(asked: tuple[int, ...] | list[int], processes: int) -> dict[int, int]:
    """The processes with pools by the number that is asked for; some may serve no requests."""
    return {number: processes - max(asked) + number for number in asked}
