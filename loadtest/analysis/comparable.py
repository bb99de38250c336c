"""Whether runs can be compared at all: they must differ in their pools only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtest.errors import UsageError
from loadtest.results import Run

# Models are what may be compared; how many processes share a load is a part of what is set up.
_MAY_DIFFER = {"load.model", "load.processes"}


def refuse_what_differs(runs: Sequence[Run]) -> None:
    """Raise UsageError naming every way in which runs differ in more than their pool."""
    problems: dict[str, str] = {}
    for run in runs[1:]:
        first, other = _circumstances(runs[0].header), _circumstances(run.header)
        for name in sorted(first.keys() | other.keys()):
            if name not in problems and first.get(name) != other.get(name):
                there = f"{first.get(name)} in {runs[0].path}, {other.get(name)} in {run.path}"
                problems[name] = f"cannot be compared: {name} is {there}"
    if problems:
        raise UsageError(*problems.values())


def _circumstances(header: Mapping[str, Any]) -> dict[str, Any]:
    """Under what a run was made, a fact each: scenario, load, seed, server, machine."""
    scenario, server = header.get("scenario", {}), header.get("server", {})
    facts = {
        "application": header.get("application"),
        "scenario": " ".join(Path(file).name for file in scenario.get("files", ())),
        "user classes": " ".join(scenario.get("user_classes", ())),
        "server version": server.get("version"),
        "processors": header.get("host", {}).get("cpus"),
        **_named("option", scenario.get("options", {})),
        **_named("load", _asked_for(header.get("load", {}))),
        **_named("server", server.get("variables", {})),
    }
    return {name: value for name, value in facts.items() if name not in _MAY_DIFFER}


def _asked_for(load: Mapping[str, Any]) -> dict[str, Any]:
    """A load without what it does not do: an older result does not name what came later."""
    return {n: value for n, value in load.items() if value is not False and value not in (None, [])}


def _named(before: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{before}.{name}": value for name, value in facts.items()}
