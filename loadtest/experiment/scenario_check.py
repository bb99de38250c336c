"""Checks a scenario with Locust in a separate process, because the command never imports Locust.

The experiment comes from the environment variable LOADTEST_EXPERIMENT. The last line of the output
is a JSON list: problems, warnings, the scenario's tables, the application's database and the
settings of its pool (both empty if the application reads LOADTEST_DATABASE_URL and it is not set),
the connections in use on its server, and the line that names ignored settings. With the argument
`connect`, the application's driver is tried on its database, and the server must have room for the
runs. With the argument `private`, LOADTEST_DATABASE_URL is a private server. The last argument is
the Allowances in JSON.
"""

from __future__ import annotations

import locust  # noqa: F401 - first: gevent patches what the others import

import json
import os
import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loadtest.database.application import (
    DATABASE_URL,
    Application,
    NeedsDatabase,
    waits_for_database,
)
from loadtest.database.preflight.announcement import connections_now, database_place, situation
from loadtest.database.preflight.checks import refuse_errors, run_checks, warning_texts
from loadtest.database.preflight.situation import Demand
from loadtest.experiment.error_lines import error_line
from loadtest.experiment.locust_settings import ignored
from loadtest.experiment.run_demand import demand_of
from loadtest.experiment.run_plan import EXPERIMENT, RunPlan
from loadtest.load import PoolUser
from loadtest.load import locust_internals as internals
from loadtest.load.setup.application_pool import load_application
from loadtest.load.setup.driver_probe import probe_driver
from loadtest.load.setup.scenario_tables import names_of
from loadtest.model.allowances import NO_ALLOWANCES, Allowances
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.load import GREENLETS
from loadtest.runfile.folders import as_typed


def inspect_scenario(
    experiment: Experiment,
    allowed: Allowances = NO_ALLOWANCES,
    *,
    connect: bool = False,
    private: bool = False,
) -> tuple[list[str], list[str], list[str], str, dict[str, Any], str]:
    """Problems, warnings, the scenario's tables, the application's database, pool and server.

    allowed: what the user allows there. connect: whether to connect to that database. private:
    whether the given one is private.
    """
    before = _options(internals.new_parser(configuration_files=True))
    try:
        classes, shapes = internals.users_and_shapes(str(experiment.scenario.absolute()))
    except (Exception, SystemExit) as error:
        if experiment.named_engine and waits_for_database(error):  # it imports the application
            return [], [], [], "", {}, ""
        return [error_line(error, experiment.scenario)], [], [], "", {}, ""
    wrong = [*_shaped(experiment, shapes), *_problems(experiment, classes, before)]
    if wrong:
        return wrong, [], [], "", {}, ""
    chosen = [classes[name] for name in experiment.user_classes or classes]
    try:
        found = _application_of(experiment)
        alone = private or not (found or os.environ.get(DATABASE_URL))
        tables = names_of(chosen, private=alone)
        known = _tried(found, experiment) if found and connect else []
        in_use = ""
        if found and connect and not private:
            in_use = _checked_room(found, demand_of(experiment, allowed, found.settings))
    except NeedsDatabase:  # then a private server starts
        return [], [], names_of(chosen, private=True), "", {}, ""
    except UsageError as error:
        return list(error.problems), [], [], "", {}, ""
    place, pool = (database_place(found.url), found.settings) if found else ("", {})
    return [], known, tables, place, pool, in_use


def _tried(application: Application, experiment: Experiment) -> list[str]:
    return warning_texts(probe_driver(application, greenlets=GREENLETS in experiment.load.models))


def _checked_room(application: Application, demand: Demand) -> str:
    """The connections in use, in words; raises UsageError if a run would be refused."""
    how = application.connecting
    now = situation(application.url, demand, private=False, connecting=how)
    refuse_errors(run_checks(now))
    return connections_now(now.server)


def _problems(
    experiment: Experiment, classes: Mapping[str, type], before: Mapping[str, Any]
) -> list[str]:
    """The problems of this scenario with its options and user classes."""
    parser = internals.new_parser(configuration_files=True)
    own = {name: action for name, action in _options(parser).items() if name not in before}
    wrong = [*_wrong_users(experiment, classes), *_wrong_options(experiment, own)]
    return wrong or list(_refused(experiment, parser))


def _application_of(experiment: Experiment) -> Application | None:
    given = os.environ.get(DATABASE_URL, "")
    named = {"session": experiment.session, "engine": experiment.engine, "database_url": given}
    files = [str(experiment.scenario)]
    return load_application(Namespace(parsed_options=Namespace(**named), parsed_locustfiles=files))


def _options(parser: Any) -> dict[str, Any]:
    """The long options of a parser by their names in Python."""
    actions = internals.actions_of(parser)
    flags = ((flag, action) for action in actions for flag in action.option_strings)
    return {_name(flag): action for flag, action in flags if flag.startswith("--")}


def _name(flag: str) -> str:
    return flag.rpartition("/")[2].lstrip("-").replace("-", "_")


def _wrong_users(experiment: Experiment, classes: Mapping[str, type]) -> Iterator[str]:
    scenario = as_typed(experiment.scenario)
    chosen = experiment.user_classes or tuple(classes)
    missing = [name for name in chosen if name not in classes]
    if missing:
        there = ", ".join(classes) or "none"
        yield f"{scenario} has no user class {', '.join(missing)}; it has: {there}"
        return
    of_pool = [name for name in chosen if issubclass(classes[name], PoolUser)]
    if experiment.application and len(of_pool) == len(chosen):
        yield (
            f"{scenario} has PoolUsers only, which send the application no requests: with --app, "
            "add an HttpUser"
        )
    elif not (experiment.application or of_pool):
        yield f"{scenario} has no PoolUser: derive its users from loadtest.load.PoolUser"


def _wrong_options(experiment: Experiment, own: Mapping[str, Any]) -> Iterator[str]:
    scenario = as_typed(experiment.scenario)
    for name, value in experiment.options.items():
        action = own.get(name.replace("-", "_"))
        if action is None:
            known = f"its options are {', '.join(own)}" if own else "it has none"
            yield f"{scenario} has no option {name}; {known}"
        elif action.nargs == 0 and not isinstance(value, bool):
            yield f"{scenario}: option {name}: {value!r} is neither true nor false"


def _shaped(experiment: Experiment, shapes: Sequence[object]) -> Iterator[str]:
    """The problem of a LoadTestShape, also an imported one: it would control users and duration."""
    if shapes:
        names = ", ".join(type(shape).__name__ for shape in shapes)
        yield (
            f"{as_typed(experiment.scenario)} has a LoadTestShape ({names}), which would replace "
            "users and duration of the runs: remove it, and give the load in stages, with "
            "--stages 10s:20,10s:20-200 or [[load.stage]] in an experiment"
        )


def _refused(experiment: Experiment, parser: Any) -> Iterator[str]:
    """The errors of Locust's parser about the run's arguments."""

    def refuse(message: str) -> None:
        raise ValueError(message)

    parser.error = refuse
    try:
        parser.parse_args(RunPlan(experiment, experiment.pool[0], 1).arguments())
    except ValueError as error:
        message = re.sub(r"^argument (\S+): ", lambda m: f"option {_name(m[1])}: ", str(error))
        yield f"{as_typed(experiment.scenario)}: {message}"


if __name__ == "__main__":
    answer, sys.stdout = sys.stdout, sys.stderr  # keeps a scenario's output out of the answer
    asked_for = Experiment.model_validate_json(os.environ.pop(EXPERIMENT))
    *asked, told = sys.argv[1:]
    found = inspect_scenario(
        asked_for,
        Allowances(**json.loads(told)),
        connect="connect" in asked,
        private="private" in asked,
    )
    known = "" if found[0] else ignored(RunPlan(asked_for, asked_for.pool[0], 1).arguments())
    print(json.dumps([*found, known]), file=answer, flush=True)
