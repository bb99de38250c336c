"""Runs each task of a scenario once, as one user of each class, in a process of its own.

The arguments are the module that runs the users, the most connections that were announced, and
those of a run. Its tables are created and filled, and dropped at the end where they do not stay.
The last line of the output is a JSON list: the mistakes in the scenario, the warnings, the most
connections that a user held at once, and the error because of which no task was tried (or empty).
"""

from __future__ import annotations

from locust import events
from locust.env import Environment

import json
import signal
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import event

from loadtest.experiment.error_lines import error_line, error_place
from loadtest.experiment.trial.task_calls import TaskTrial
from loadtest.load import PoolUser
from loadtest.load import locust_internals as internals
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.options import run_options
from loadtest.load.setup.application_pool import measured_pool
from loadtest.load.setup.database_setup import DatabaseSetup
from loadtest.load.users.thread_users import ThreadRunner
from loadtest.model.errors import LoadtestError
from loadtest.model.load import THREADS, USER_MODELS

# No worker has this number, so a run draws other random numbers: committed rows do not collide.
_INDEX = -1


def _end_process(*_: Any) -> None:
    """Drop the tables, then end."""
    raise SystemExit(1)


class MostHeld:
    """The largest number of connections of an engine that were in use at once."""

    def __init__(self, target: EngineUnderTest) -> None:
        self._target = target
        self._in_use = self._most = 0
        event.listen(target.engine.pool, "checkout", lambda *_: self._change(1))
        event.listen(target.engine.pool, "checkin", lambda *_: self._change(-1))

    def _change(self, by: int) -> None:
        self._in_use += by
        self._most = max(self._most, self._in_use)

    @property
    def number(self) -> int:
        """The largest number, including a connection that exceeded the announced number."""
        return self._most + bool(self._target.recorder.beyond)


def try_scenario(
    arguments: Sequence[str], most: int, *, threads: bool
) -> tuple[list[str], list[str], int]:
    """The mistakes and the warnings about the scenario that a run's arguments name.

    The number is that of the most connections that a user held at once.

    most: the most connections to open on a server that the tool did not start.
    Raises LoadtestError if the database cannot be used.
    """
    scenario = Path(arguments[arguments.index("-f") + 1]).absolute()
    classes, _ = internals.users_and_shapes(str(scenario))
    options = _options(arguments)
    chosen = [classes[name] for name in options.user_classes or classes]
    environment = _environment(chosen, options, scenario, threads=threads)
    try:
        with (
            closing(DatabaseSetup(environment)) as place,
            _target(place, options, most) as environment.loadtest.target,
        ):
            return _run_users(environment, scenario)
    except Exception as error:
        # An error of the database hides the one in `fill`.
        cause = error.__context__ if isinstance(error, LoadtestError) else error
        if not (cause and error_place(cause)):
            raise
        return [error_line(cause, scenario)], [], 0


def _options(arguments: Sequence[str]) -> Namespace:
    """The options of a run, in a closed loop."""
    options: Namespace = internals.new_parser().parse_args(arguments)
    run_options.settle(options)
    vars(options).update(arrival_rate=0.0, stages="", prefill=False)
    return options


def _environment(classes: list[Any], options: Namespace, scenario: Path, *, threads: bool) -> Any:
    """An environment like that of a run, whose runner does not start."""
    if threads:
        ThreadRunner.use()
    environment: Any = Environment(
        user_classes=classes,
        events=events,
        host=options.host,
        parsed_options=options,
        parsed_locustfiles=[str(scenario)],
    )
    environment.loadtest = SimpleNamespace(target=None)
    environment.create_local_runner()
    return environment


@contextmanager
def _target(place: DatabaseSetup, options: Namespace, most: int) -> Iterator[EngineUnderTest]:
    """The engine under test, on a database with the scenario's tables."""
    place.load_application()
    place.find()
    place.prepare()
    assert place.facts
    target = EngineUnderTest(
        place.url,
        measured_pool(options, place.application),
        options,
        tls=place.facts.tls,
        process="trial",
        index=_INDEX,
        ceiling=(lambda: most) if place.foreign else None,
        application=place.application,
    )
    try:
        yield target
    finally:
        target.cut_off()  # leaked connections would lock the tables
        target.close()


def _run_users(environment: Any, scenario: Path) -> tuple[list[str], list[str], int]:
    """Run a user of each class, between the events at the start and the end of a test."""
    held = MostHeld(environment.loadtest.target)
    environment.events.init.fire(environment=environment, runner=environment.runner, web_ui=None)
    environment.events.test_start.fire(environment=environment)
    trial = TaskTrial(scenario)
    for cls in environment.user_classes:
        if issubclass(cls, PoolUser):
            trial.run(cls, environment)
    trial.sum_up()
    environment.events.test_stop.fire(environment=environment)
    return trial.mistakes, trial.warnings, held.number


def _answer(model: str, most: str, *of_run: str) -> tuple[list[str], list[str], int, str]:
    try:
        found = try_scenario(of_run, int(most), threads=model == USER_MODELS[THREADS])
    except LoadtestError as error:
        return [], [], 0, str(error)
    return *found, ""


if __name__ == "__main__":
    answer, sys.stdout = sys.stdout, sys.stderr  # keeps a scenario's output out of the answer
    signal.signal(signal.SIGTERM, _end_process)
    # Python flushes only the present sys.stdout at its end.
    print(json.dumps(_answer(*sys.argv[1:])), file=answer, flush=True)
