"""Runs each task of a scenario once, as one user of each class, in a process of its own.

The arguments are the module that runs the users, the most connections that were announced, and
those of a run. Its tables are created and filled, and dropped at the end where they do not stay.
The last line of the output is a JSON list: the mistakes in the scenario, the warnings, the most
connections that a user held at once, and the error because of which no task was tried (or empty).
"""

from __future__ import annotations

from locust import TaskSet, events
from locust.env import Environment
from locust.exception import StopUser

import inspect
import json
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
from sqlalchemy import event

from loadtest.experiment.deadlines import TASK_SECONDS, TRIAL_SECONDS
from loadtest.experiment.error_lines import error_line, error_place, line_in_file
from loadtest.experiment.trial.scenario_mistakes import is_mistake
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


class TooLong(SystemExit):
    """A task reached its time limit.

    A signal may raise it in any greenlet: gevent passes a SystemExit on to the main one.
    """


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TooLong in the block after these seconds, also while it waits; main thread only."""
    before = signal.signal(signal.SIGALRM, _end_task)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _end_task(*_: Any) -> None:
    raise TooLong


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


class TaskTrial:
    """Users that call each of their tasks once, and the errors that this showed.

    mistakes: the lines about mistakes in the scenario. warnings: those about other errors.
    """

    def __init__(self, scenario: Path) -> None:
        self.mistakes: list[str] = []
        self.warnings: list[str] = []
        self._scenario = scenario
        self._ends = time.monotonic() + TRIAL_SECONDS
        self._untried: list[str] = []

    def run(self, cls: type[PoolUser], environment: Environment) -> None:
        """Run one user of a class: `on_start`, each task, `on_stop`."""
        user = self._made(cls, environment)
        if user is None:
            return
        if not user.tasks:
            self.mistakes.append(_without_task(cls))
            return
        begin, end, tasks = user.on_start, user.on_stop, user.tasks

        def once(user: PoolUser) -> None:
            self._call_all(user, tasks, begin, end)
            raise StopUser

        # The user's own loop, so that its state is that of a user in a run.
        vars(user).update(tasks=[once], on_start=lambda: None, on_stop=lambda: None)
        user.run()

    def sum_up(self) -> None:
        """Add the warning about tasks for which there was no time."""
        if self._untried:
            names = ", ".join(self._untried)
            self.warnings.append(f"Not tried within {TRIAL_SECONDS:g} s: {names}")

    def _call_all(
        self,
        holder: Any,
        tasks: Sequence[Any],
        begin: Callable[[], object],
        end: Callable[[], object],
    ) -> None:
        """Call what begins a user or a task set, each of its tasks, and what ends it."""
        name = type(holder).__name__
        if self._call(f"{name}.on_start", begin):
            for one in dict.fromkeys(tasks):
                if isinstance(one, type) and issubclass(one, TaskSet):
                    self._call_set(one, holder)
                else:
                    self._call(getattr(one, "__qualname__", str(one)), one, holder)
            self._call(f"{name}.on_stop", end)

    def _call_set(self, cls: type[TaskSet], holder: Any) -> None:
        inner = self._made(cls, holder)
        if inner is not None:
            # A Markov chain has no list of tasks.
            chain = [one for one in vars(cls).values() if hasattr(one, "transitions")]
            self._call_all(inner, inner.tasks or chain, inner.on_start, inner.on_stop)

    def _made(self, cls: type, owner: Any) -> Any:
        """A new object of a class; None if that fails."""
        made: list[Any] = []
        self._call(cls.__name__, lambda: made.append(cls(owner)))
        return made[0] if made else None

    def _call(self, name: str, function: Callable[..., object], *given: Any) -> bool:
        """Call a function of the scenario; returns whether it raised no error."""
        if time.monotonic() >= self._ends:
            self._untried.append(name)
            return False
        try:
            with suppress(*internals.CONTROL_FLOW), at_most(TASK_SECONDS):
                function(*given)
        except TooLong as error:
            place = error_place(error) or str(self._scenario)
            self.warnings.append(
                f"Tried once before the load, {name} did not end within {TASK_SECONDS:g} s: {place}"
            )
        except (Exception, gevent.Timeout) as error:
            self._note(name, error)
        else:
            return True
        return False

    def _note(self, name: str, error: BaseException) -> None:
        line = error_line(error, self._scenario)
        if is_mistake(error):
            self.mistakes.append(f"{line} (in {name})")
        else:
            self.warnings.append(f"Tried once before the load, {name} failed: {line}")


def _without_task(cls: type) -> str:
    try:
        line = inspect.getsourcelines(cls)[1]
    except OSError:  # a class that was made in another way
        line = None
    place = line_in_file(inspect.getfile(cls), line)
    return f"{place}: {cls.__name__} has no task: decorate its methods with @task"


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
