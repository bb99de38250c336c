"""The experiment of a result, repeated with other pools and for a shorter time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loadtest.analysis.units import listed
from loadtest.database.redaction import HIDDEN
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.field_types import validated
from loadtest.model.pool import PoolConfig
from loadtest.model.server_name import parse_server
from loadtest.runfile.driven_schema import DrivenPlan
from loadtest.runfile.reader import RunFacts
from loadtest.runfile.schema import ExperimentPlan, Load

# Seconds: long enough for a few thousand checkouts of most loads.
LONGEST, LONGEST_WARMUP = 10.0, 5.0
_KEPT = ("name", "user_classes", "seed", "session", "engine", "options", "fault")
_LOAD = ("users", "spawn_rate", "arrival_rate", "arrivals", "drop_after", "prefill")
# Of the load of an application behind HTTP, too.
_DRIVING = (*_LOAD, "processes")


def experiment_again(
    planned: ExperimentPlan | None,
    run: RunFacts,
    pools: Sequence[PoolConfig],
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Experiment:
    """The experiment with these pools, one round each, of at most ten seconds.

    planned: the content of experiment.json, if it exists; otherwise the run's header is used.
    variables: of the application that was driven, whose values the result hides.
    Raises UsageError if the scenario is missing, if no file names it, or if the application cannot
    be started again with what is known.
    """
    plan = planned or _from_header(run)
    scenario = Path(plan.scenario)
    if not scenario.is_file():
        raise UsageError(f"there is no scenario {scenario} here: start where it was measured")
    load = plan.load if plan.load != Load() else run.header.load
    application = _application(plan, run, variables)
    kept = _shorter(load, _DRIVING if application else _LOAD)
    again = {
        **{name: getattr(plan, name) for name in _KEPT},
        "application": application,
        "server": _server(plan, run),
        "scenario": scenario,
        "rounds": 1,
        "load": {**kept, "model": run.header.load.model},
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


def _application(
    plan: ExperimentPlan, run: RunFacts, variables: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The application that the run drove, as an experiment has it; empty for other runs."""
    driven = run.header.driven
    if driven is None and variables:
        raise UsageError("--app-env: this result drove no application")
    if driven is None:
        return []
    several = len(plan.driven) > 1
    found = [one for one in plan.driven if one.name == driven.name or not several]
    if not found:
        raise UsageError(f"{run.path} drove an application that experiment.json does not have")
    told = {name: getattr(found[0], name) for name in DrivenPlan.__struct_fields__}
    told["env"] = {**found[0].env, **variables}
    _refuse_hidden(found[0], told["env"])
    return [{name: value for name, value in told.items() if value not in ("", None)}]


def _refuse_hidden(one: DrivenPlan, variables: Mapping[str, str]) -> None:
    """Raise UsageError if it is not known how to start an application again."""
    instead = "measure the pools with loadtest compare"
    if len(one.processes) > 1:
        numbers = listed([str(number) for number in one.processes])
        raise UsageError(
            f"--validate: the result has {numbers} processes; {instead} and one of these numbers"
        )
    texts = {"--app": one.command, "--ready": one.ready, "--app-prepare": one.prepare}
    if hidden := [option for option, text in texts.items() if HIDDEN in text]:
        raise UsageError(f"--validate: the result hides a password in {listed(hidden)}; {instead}")
    if unknown := [name for name, value in variables.items() if value == HIDDEN]:
        again = " ".join(f"--app-env {name}=VALUE" for name in unknown)
        raise UsageError(f"--validate: results have no values of variables; add {again}")


def _shorter(load: Load, names: Sequence[str]) -> dict[str, Any]:
    """The shortened load, in whole seconds because Locust counts those; names: of what is kept."""
    warmup = min(LONGEST_WARMUP if load.warmup is None else load.warmup, LONGEST_WARMUP)
    duration = min(LONGEST if load.duration is None else load.duration, LONGEST)
    whole = max(1, math.floor(duration + warmup)) - warmup
    told = {name: value for name in names if (value := getattr(load, name)) is not None}
    return {**told, "warmup": warmup, "duration": whole if whole > 0 else whole + 1}
