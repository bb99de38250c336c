"""The experiment of a result, repeated with other pools and for a shorter time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.field_types import validated
from loadtest.model.pool import PoolConfig
from loadtest.model.server_name import parse_server
from loadtest.runfile.reader import RunFacts
from loadtest.runfile.schema import ExperimentPlan, Load

# Seconds: long enough for a few thousand checkouts of most loads.
LONGEST, LONGEST_WARMUP = 10.0, 5.0
_KEPT = ("name", "user_classes", "seed", "session", "engine", "options", "fault")
_LOAD = ("users", "spawn_rate", "arrival_rate", "arrivals", "drop_after", "prefill")


def experiment_again(
    planned: ExperimentPlan | None, run: RunFacts, pools: Sequence[PoolConfig]
) -> Experiment:
    """The experiment with these pools, one round each, of at most ten seconds.

    planned: the content of experiment.json, if it exists; otherwise the run's header is used.
    Raises UsageError if the scenario is missing, or if no file names it.
    """
    plan = planned or _from_header(run)
    scenario = Path(plan.scenario)
    if not scenario.is_file():
        raise UsageError(f"there is no scenario {scenario} here: start where it was measured")
    load = plan.load if plan.load != Load() else run.header.load
    again = {
        **{name: getattr(plan, name) for name in _KEPT},
        "server": _server(plan, run),
        "scenario": scenario,
        "rounds": 1,
        "load": {**_shorter(load), "model": run.header.load.model},
        "pool": list(pools),
    }
    return validated(Experiment, again, "the result's experiment")


def _from_header(run: RunFacts) -> ExperimentPlan:
    header = run.header
    if len(header.scenario.files) != 1:
        raise UsageError(f"{run.path} does not name exactly one scenario; use loadtest compare")
    if header.application:
        raise UsageError(f"{run.path} measured an application: a repetition needs experiment.json")
    return ExperimentPlan(
        name=header.name or "again",
        scenario=header.scenario.files[0],
        user_classes=header.scenario.user_classes,
        options=header.scenario.options,
        seed=1 if header.load.seed is None else header.load.seed,
    )


def _server(plan: ExperimentPlan, run: RunFacts) -> str:
    """The program of the run's private server, as its experiment names it."""
    name = run.header.server.name
    return next((text for text in plan.server if parse_server(text).name == name), "")


def _shorter(load: Load) -> dict[str, Any]:
    """The shortened load, in whole seconds because Locust counts those."""
    warmup = min(LONGEST_WARMUP if load.warmup is None else load.warmup, LONGEST_WARMUP)
    duration = min(LONGEST if load.duration is None else load.duration, LONGEST)
    whole = max(1, math.floor(duration + warmup)) - warmup
    told = {name: value for name in _LOAD if (value := getattr(load, name)) is not None}
    return {**told, "warmup": warmup, "duration": whole if whole > 0 else whole + 1}
