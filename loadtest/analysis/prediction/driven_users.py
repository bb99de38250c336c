"""The users of an application's pools: what a simulation assumes of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from loadtest.analysis.driven.application_findings import application_bound
from loadtest.analysis.driven.connections_beside import pool_users_of
from loadtest.analysis.driven.server_concurrency import MEASURED_AT_ONCE, server_concurrency
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.prediction.samples import NUMBER_OF_SAMPLES
from loadtest.analysis.units import count, level, listed, plural

EXPONENTIAL = tuple(
    -math.log(1 - (number + 0.5) / NUMBER_OF_SAMPLES) for number in range(NUMBER_OF_SAMPLES)
)
"""A shape of the times between the checkouts of a user, whose requests have many parts."""


def users_level(pool: PoolRuns) -> float:
    """The mean number of users that ask for connections, directly or by requests."""
    return pool.mean_level("load_users" if pool.driven else "users")


def generator_share(pool: PoolRuns) -> float:
    """How many processes with pools each process of the load generator serves."""
    return pool.processes / (pool.header.load.processes or 1) if pool.driven else 1.0


def driven_notes(pools: Sequence[PoolRuns]) -> Iterator[str]:
    """What a prediction for an application assumes, and which of its limits it does not know."""
    first = pools[0]
    if not first.driven:
        return
    yield (
        f"The {level(users_level(first))} users send requests in a closed loop, or as arrivals of "
        f"an open one, to {plural(first.processes, 'process', 'processes')} with a pool each. "
        "Settings apply to each process, numbers to all. The users are spread evenly over them."
    )
    yield (
        "The time between two checkouts of a user (network, the application's own work, the pauses "
        "of the locustfile) is assumed to stay as it was, whatever the pool. The application's "
        "processors are not simulated."
    )
    most = server_concurrency(first)
    if most.source != MEASURED_AT_ONCE:
        yield (
            f"A process serves up to {count(most.requests)} requests at once ({most.source}); the "
            "simulation does not limit them. More connections than that are never in use."
        )
    bound = [pool.name for pool in pools if any(application_bound(pool))]
    if bound:
        yield (
            f"The application was at the limit of its processors with {listed(bound)}: predictions "
            "of more throughput than that are too high."
        )
    if beside := pool_users_of(first):
        yield (
            f"Users of {listed(beside)}, on an engine of their own, are counted as users of the "
            "application: waits are overestimated."
        )
