"""Whether runs can be compared at all: they must differ in their pools only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from loadtest.model.errors import UsageError
from loadtest.model.experiment import variant_name, with_processes_name
from loadtest.runfile.reader import RunFacts
from loadtest.runfile.schema import Header, Load

Facts = dict[str, Any]

# User models may be compared. The number of processes is part of the set-up.
# Every round may have its own random numbers.
_MAY_DIFFER = {"load.model", "load.processes", "load.seed"}
# Older results of the same server lack it.
# The runs of a killed tool do not have the command of the application.
_NAMED_LATER = {"server.innodb_snapshot_isolation", "command of the application"}


def refuse_incomparable(runs: Sequence[RunFacts]) -> None:
    """Raise UsageError naming every way in which runs differ in more than their pool."""
    _refuse_mixed(runs)
    problems: dict[str, str] = {}
    first_of_round: dict[int, RunFacts] = {}
    first_of_server: dict[tuple[str, str], RunFacts] = {}
    first_of_application: dict[str, RunFacts] = {}
    names = {run.pool_name for run in runs}
    for run in runs:
        server, application = _server(run, names), _application(run)
        alike = first_of_application.setdefault(application, run)
        _refuse(problems, alike, run, _application_facts)
        # Applications may have servers of their own.
        first = first_of_server.setdefault((server, application), run)
        _refuse(problems, first, run, _server_facts)
        _refuse(problems, runs[0], run, _circumstances)
        _refuse(problems, first_of_round.setdefault(run.header.round, run), run, _random_numbers)
    if problems:
        raise UsageError(*problems.values())


def _refuse_mixed(runs: Sequence[RunFacts]) -> None:
    """Raise UsageError if some runs drove an application behind HTTP, and some did not."""
    driven = next((run for run in runs if run.header.driven), None)
    own = next((run for run in runs if not run.header.driven), None)
    if driven and own:
        raise UsageError(
            f"cannot be compared: {driven.path} drove an application behind HTTP (--app), and in "
            f"{own.path} the users of the scenario took the connections themselves"
        )


def _refuse(
    problems: dict[str, str], one: RunFacts, other: RunFacts, told: Callable[[Header], Facts]
) -> None:
    """Add the facts in which two runs differ, unless they are listed already."""
    here, there = told(one.header), told(other.header)
    for name in sorted(here.keys() | there.keys()):
        if name in _NAMED_LATER and not (name in here and name in there):
            continue
        if name not in problems and here.get(name) != there.get(name):
            both = f"{here.get(name)} in {one.path}, {there.get(name)} in {other.path}"
            problems[name] = f"cannot be compared: {name} is {both}"


def _random_numbers(header: Header) -> Facts:
    """What pools of the same round must share."""
    return {"load.seed": header.load.seed}


def _server(run: RunFacts, names: Collection[str]) -> str:
    """The server of a pool that also ran on the first server; all other pools share one."""
    name = run.header.server.name
    variants = {variant_name(pool, name) for pool in names}
    return name if run.pool_name in variants else ""


def _application(run: RunFacts) -> str:
    """The application of a pool that ran in several; all other pools share one."""
    name = run.header.application or ""
    return name if run.header.driven and run.pool_name.endswith(variant_name("", name)) else ""


def _application_facts(header: Header) -> Facts:
    """What pools of the same application must share."""
    facts: Facts = {"application": header.application}
    if header.driven:
        dialect = header.driven.database.partition("+")[0]
        facts["database of the application"] = "mysql" if dialect == "mariadb" else dialect
    if header.driven and header.driven.command:
        facts["command of the application"] = header.driven.command
        facts |= _processes(header, header.driven.processes)
    return facts


def _server_facts(header: Header) -> Facts:
    """What pools on the same server must share."""
    server = header.server
    return {"server version": server.version, **_named("server", server.variables)}


def _circumstances(header: Header) -> Facts:
    """The circumstances of a run by name: scenario, load, machine."""
    scenario = header.scenario
    facts = {
        "scenario": " ".join(Path(file).name for file in scenario.files),
        "user classes": " ".join(scenario.user_classes),
        "CPUs": header.host.cpus,
        **_named("option", scenario.options),
        **_named("load", _asked_for(header.load)),
    }
    return {name: value for name, value in facts.items() if name not in _MAY_DIFFER}


def _processes(header: Header, asked: Sequence[int]) -> Facts:
    """The processes that were asked for; a search with several has them in the pools' names."""
    variants = [with_processes_name("", number) for number in asked]
    searched = any(header.pool.name.endswith(variant) for variant in variants)
    return {} if searched else {"processes of the application": asked}


def _asked_for(load: Load) -> Facts:
    """The settings of a load that are in use: older results lack newer settings."""
    asked = {n: v for n, v in asdict(load).items() if v is not False and v not in (None, ())}
    for name in ("stage", "stages", "faults"):
        if name in asked:
            asked[name] = ", ".join(map(str, asked[name]))
    return asked


def _named(before: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{before}.{name}": value for name, value in facts.items()}
