"""How large the pools of a search may be: as large as the limits of the server allow."""

from __future__ import annotations

from dataclasses import replace

from loadtest.database.preflight.checks import connections_allowed
from loadtest.database.preflight.situation import Demand, Situation
from loadtest.model.experiment import Experiment
from loadtest.model.pool import pool_of_size


def fitted(experiment: Experiment, now: Situation) -> tuple[Situation, dict[int, int]]:
    """The situation of a search whose pools have room, and their largest sizes.

    The sizes are by the number of processes that is asked for (0: none is), each at least 1, so
    that the checks of the server say what it lacks. now: with the present pool and the largest one,
    and the processes with pools when the largest number is asked for. The situation that is
    returned is that of the number that needs the most connections.
    """
    demand, asked = now.demand, experiment.processes or (0,)
    allowed, most = connections_allowed(now), experiment.pool[-1].pool_size
    # Some processes with pools may serve no requests.
    running = {number: demand.processes - max(asked) + number for number in asked}
    largest = {
        number: most if allowed is None else max(1, min(most, allowed // processes))
        for number, processes in running.items()
    }
    each = [_with_largest(demand, running[number], size) for number, size in largest.items()]
    return replace(now, demand=max(each, key=lambda one: one.most)), largest


def _with_largest(demand: Demand, processes: int, size: int) -> Demand:
    return replace(demand, processes=processes, pools=(demand.pools[0], pool_of_size(size)))
