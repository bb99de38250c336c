"""The connections of PoolUsers that ran beside the users of an application.

The server's own numbers include them, those of the application's pools do not.
"""

from __future__ import annotations

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.model.interval import BESIDE


def pool_users_of(pool: PoolRuns) -> list[str]:
    """The classes of PoolUsers beside the users that drove an application."""
    scenario = pool.header.scenario
    names = [name for name in scenario.user_classes if name not in scenario.other_classes]
    return names if pool.driven else []


def level_beside(pool: PoolRuns, gauge: str) -> float | None:
    """The mean of a gauge of their pools, 0 without any; None in files that lack it."""
    if not pool_users_of(pool):
        return 0.0
    name = BESIDE + gauge
    known = all(name in round_.together.gauges for round_ in pool.rounds)
    return pool.mean_level(name) if known else None
