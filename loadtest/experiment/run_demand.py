"""What the runs of an experiment may need of a database server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.database.preflight.situation import Demand
from loadtest.model.allowances import Allowances
from loadtest.model.experiment import Experiment


def demand_of(
    experiment: Experiment, allowed: Allowances, own: Mapping[str, Any] | None = None
) -> Demand:
    """The connections and the load that each run of an experiment may need.

    own: the settings of the application's pool; None or empty if there is none or it is unknown.
    """
    load = experiment.load
    return Demand(
        tuple(pool.on(own) for pool in experiment.pool) if own else experiment.pool,
        load.users,
        seconds=load.warmup + load.duration,
        arrival_rate=load.highest_rate,
        overload=allowed.overload,
        killing=any(fault.kind == "kill" for fault in experiment.fault),
        prefill=load.prefill,
        per_user=allowed.per_user,
    )
