"""A result's own experiment once more, with other pools and for a shorter time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.field_types import validated
from loadtest.model.pool import PoolConfig
from loadtest.model.server_name import parse_server
from loadtest.runfile.reader import Run

# Seconds: long enough for a few thousand checkouts of most loads.
LONGEST, LONGEST_WARMUP = 10.0, 5.0
_LOAD = (
    *("users", "spawn_rate", "arrival_rate", "arrivals", "drop_after", "model"),
    *("duration", "warmup", "prefill"),
)


def experiment_again(
    planned: Mapping[str, Any] | None, run: Run, pools: Sequence[PoolConfig]
) -> Experiment:
    """The experiment with these pools, one round of each, and ten seconds at most.

    planned: what experiment.json holds, if there is one; else the run's header says what ran.
    Raises UsageError if the scenario is not there any more, or no file tells which it was.
    """
    data = dict(planned) if planned else _from_header(run)
    load = {name: value for name, value in _load(data, run).items() if value is not None}
    load["model"] = run.header.get("load", {}).get("model", "greenlets")
    scenario = Path(str(data["scenario"]))
    if not scenario.is_file():
        raise UsageError(f"there is no scenario {scenario} here: go to where the result was made")
    kept = ("name", "user_classes", "seed", "session", "engine", "options", "fault")
    again = {name: data[name] for name in kept if data.get(name) is not None}
    again |= {"server": _server(data, run)}
    again |= {"scenario": scenario, "rounds": 1, "load": _shorter(load), "pool": list(pools)}
    return validated(Experiment, again, "the result's experiment")


def _from_header(run: Run) -> dict[str, Any]:
    header = run.header
    scenario = header.get("scenario", {})
    files = scenario.get("files", ())
    if len(files) != 1:
        raise UsageError(
            f"{run.path} does not tell the one scenario that ran; run loadtest compare"
        )
    if header.get("application"):
        raise UsageError(f"{run.path} ran on an application, which only experiment.json tells")
    return {
        "name": header.get("name") or "again",
        "scenario": files[0],
        "user_classes": scenario.get("user_classes", ()),
        "options": scenario.get("options", {}),
        "seed": header.get("load", {}).get("seed", 1),
    }


def _server(data: Mapping[str, Any], run: Run) -> str:
    """The private server's program that a run was on, as its experiment names it."""
    name = run.header.get("server", {}).get("name")
    return next((text for text in data.get("server", ()) if parse_server(text).name == name), "")


def _load(data: Mapping[str, Any], run: Run) -> dict[str, Any]:
    load = {**run.header.get("load", {}), **data.get("load", {})}
    return {name: load[name] for name in _LOAD if name in load}


def _shorter(load: Mapping[str, Any]) -> dict[str, Any]:
    """The load for whole seconds, as Locust counts them."""
    warmup = min(float(load.get("warmup", LONGEST_WARMUP)), LONGEST_WARMUP)
    duration = min(float(load.get("duration", LONGEST)), LONGEST)
    whole = max(1, math.floor(duration + warmup)) - warmup
    return {**load, "warmup": warmup, "duration": whole if whole > 0 else whole + 1}
