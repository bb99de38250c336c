"""Runs each task of a scenario once, as one user of each class, in a process of its own.

The arguments are the module that runs the users, the most connections that were announced, and
those of a run. Its tables are created and filled, and dropped at the end where they do not stay.
The last line of the output is a TrialAnswer in JSON.
"""

from __future__ import annotations

from locust import events
from locust.env import Environment

import json
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
from greenlet import getcurrent

from loadtest.experiment.error_lines import error_line, error_place
from loadtest.experiment.trial.connection_watch import ConnectionWatch
from loadtest.experiment.trial.request_watch import RequestWatch
from loadtest.experiment.trial.task_calls import TaskTrial
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.load import PoolUser
from loadtest.load import locust_internals as internals
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.options import run_options
from loadtest.load.setup.application_pool import measured_pool
from loadtest.load.setup.database_setup import DatabaseSetup
from loadtest.load.setup.driven_database import DrivenDatabase, database_of
from loadtest.load.setup.scenario_tables import metadata_of
from loadtest.load.shutdown import attempt
from loadtest.load.users.thread_users import ThreadRunner
from loadtest.model.errors import LoadtestError
from loadtest.model.load import THREADS, USER_MODELS

# No worker has this number, so a run draws other random numbers: committed rows do not collide.
_INDEX = -1
# The time to drop the tables while a task goes on that caught its time limit.
_CLEANING_SECONDS = 15.0

Write = Callable[[TrialAnswer], None]
"""Writes the answer of this process."""


def _end_process(*_: Any) -> None:
    """Drop the tables, then end."""
    raise SystemExit(1)


def try_scenario(
    arguments: Sequence[str], most: int, write: Write, *, threads: bool
) -> TrialAnswer:
    """The answer about the scenario that a run's arguments name.

    most: the most connections to open on a server that the tool did not start. write: writes the
    answer if a task does not end, before this process ends. Raises LoadtestError if the database
    cannot be used.
    """
    scenario = Path(arguments[arguments.index("-f") + 1]).absolute()
    classes, _ = internals.users_and_shapes(str(scenario))
    options = _options(arguments)
    chosen = [classes[name] for name in options.user_classes or classes]
    environment = _environment(chosen, options, scenario, threads=threads)
    try:
        with (
            closing(database_of(environment)) as place,
            _target(place, options, most) as environment.loadtest.target,
        ):
            return _run_users(environment, scenario, place, write)
    except Exception as error:
        # An error of the database hides the one in `fill`.
        cause = error.__context__ if isinstance(error, LoadtestError) else error
        if not (cause and error_place(cause)):
            raise
        return TrialAnswer(mistakes=[error_line(cause, scenario)])


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
    if options.driving:  # the runner does this when it starts
        for cls in classes:
            cls.host = options.host
    environment.create_local_runner()
    return environment


@contextmanager
def _target(
    place: DatabaseSetup, options: Namespace, most: int
) -> Iterator[EngineUnderTest | None]:
    """The engine under test, on a database with the scenario's tables; None without a database."""
    if isinstance(place, DrivenDatabase):
        yield None
        return
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


def _run_users(environment: Any, scenario: Path, place: DatabaseSetup, write: Write) -> TrialAnswer:
    """Run a user of each class, between the events at the start and the end of a test."""
    target, classes = environment.loadtest.target, environment.user_classes

    def end() -> None:
        cut_off = [target.cut_off] if target else []
        _end_with(lambda: write(trial.answer), *cut_off, place.close)

    watch: ConnectionWatch | RequestWatch
    if environment.parsed_options.driving:
        watch, trial = RequestWatch(), TaskTrial(scenario, end=end)
    else:
        watch, engine = ConnectionWatch(target), environment.parsed_options.engine
        trial = TaskTrial(scenario, watch, engine, end, _missing_table(place, classes))
        classes = [cls for cls in classes if issubclass(cls, PoolUser)]
    environment.events.init.fire(environment=environment, runner=environment.runner, web_ui=None)
    environment.events.test_start.fire(environment=environment)
    with watch.listening(environment.events.request):
        for cls in classes:
            trial.run(cls, environment)
    trial.sum_up()
    if isinstance(watch, RequestWatch):
        watch.conclude(trial.answer, scenario)
    environment.events.test_stop.fire(environment=environment)
    return trial.answer


def _missing_table(place: DatabaseSetup, classes: Sequence[Any]) -> str:
    """The advice for a scenario whose private server has no tables; empty for all others."""
    if place.foreign or metadata_of(classes, private=True):
        return ""
    named = "" if place.application else "name your application with --session, or "
    return f"This is an empty private server: {named}give the scenario its metadata"


def _end_with(*steps: Callable[[], object]) -> None:
    """Take these steps, then end this process, although a task goes on in its main greenlet.

    Each step runs, even if others raise. Called by a signal, which may have interrupted the event
    loop.
    """
    signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, _CLEANING_SECONDS)

    def take_steps() -> None:
        try:
            for step in steps:
                attempt(step, lambda error: print(error, file=sys.stderr))
        finally:
            os._exit(0)

    if getcurrent() is gevent.get_hub():
        gevent.spawn(take_steps)  # the event loop itself must not wait
    else:
        take_steps()


def _answer(write: Write, model: str, most: str, *of_run: str) -> TrialAnswer:
    try:
        return try_scenario(of_run, int(most), write, threads=model == USER_MODELS[THREADS])
    except LoadtestError as error:
        return TrialAnswer(refused=str(error))


if __name__ == "__main__":
    output, sys.stdout = sys.stdout, sys.stderr  # keeps a scenario's output out of the answer
    signal.signal(signal.SIGTERM, _end_process)

    def write_answer(answer: TrialAnswer) -> None:
        """Write the last line of the output; Python flushes only the present sys.stdout."""
        print(json.dumps(asdict(answer)), file=output, flush=True)

    write_answer(_answer(write_answer, *sys.argv[1:]))
