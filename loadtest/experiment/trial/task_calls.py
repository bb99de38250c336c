"""Calls each task of a scenario once, and turns what happens into mistakes and warnings."""

from __future__ import annotations

from locust import TaskSet
from locust.env import Environment
from locust.exception import StopUser

import inspect
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import gevent

from loadtest.experiment.deadlines import TASK_SECONDS, TRIAL_SECONDS
from loadtest.experiment.error_lines import error_line, error_place, line_in_file
from loadtest.experiment.trial.scenario_mistakes import is_mistake
from loadtest.load import PoolUser
from loadtest.load import locust_internals as internals


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
