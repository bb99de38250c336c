"""Calls each task of a scenario once, and turns what happens into mistakes and warnings."""

from __future__ import annotations

from locust import TaskSet, User
from locust.env import Environment
from locust.exception import StopUser

import inspect
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import gevent

from loadtest.database.failure_kinds import error_code
from loadtest.experiment.deadlines import TASK_SECONDS, TRIAL_SECONDS
from loadtest.experiment.error_lines import error_line, error_place, line_in_file, place_of_def
from loadtest.experiment.trial.connection_watch import CallConnections, ConnectionWatch
from loadtest.experiment.trial.scenario_mistakes import depends_on_state, is_mistake, is_transient
from loadtest.experiment.trial.time_limit import TimeLimit, TooLong
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.experiment.trial.unused_pool import also_used, unused_call, unused_pool
from loadtest.load import locust_internals as internals
from loadtest.runfile.folders import as_typed

_BEFORE = "Tried once before the load, "
_CAUGHT = (
    ". It caught the time limit (`except BaseException` or a bare `except`): catch `Exception` "
    "instead"
)
_COMPUTED = ". It computes all the time, so that no other user can run"
_NO_SUCH_TABLE = 1146
_OUTSIDE_OF_FLASK = "Working outside of application context"


class TaskTrial:
    """Users that call each of their tasks once, and the answer to what this showed.

    watch: observes their connections, if there is an engine under test. engine: the option
    `--engine` of the run. end: ends this process with the answer, if a task does not end.
    missing_table: the advice if a table is missing.
    """

    def __init__(
        self,
        scenario: Path,
        watch: ConnectionWatch | None = None,
        engine: str = "",
        end: Callable[[], object] = lambda: None,
        missing_table: str = "",
    ) -> None:
        self.answer = TrialAnswer()
        self._missing_table = missing_table
        self._advice: dict[str, None] = {}  # it follows the mistakes
        self._scenario, self._watch, self._engine, self._end = scenario, watch, engine, end
        self._ends = time.monotonic() + TRIAL_SECONDS
        self._untried: list[str] = []
        self._ended = 0  # the tasks that returned
        self._users = self._not_begun = self._kept_at_start = 0
        self._total = CallConnections()
        # Warnings, each with the mistake that it becomes if nothing else worked.
        self._tasks_failed: list[tuple[str, str]] = []
        self._starts_failed: list[tuple[str, str]] = []

    def run(self, cls: type[User], environment: Environment) -> None:
        """Run one user of a class: `on_start`, each task, `on_stop`."""
        user = self._made(cls, environment)
        if user is None:
            return
        if not user.tasks:
            self.answer.mistakes.append(_without_task(cls))
            return
        begin, end, tasks = user.on_start, user.on_stop, user.tasks

        def once(user: User) -> None:
            self._users += 1
            self._call_all(user, tasks, begin, end)
            raise StopUser

        # The user's own loop, so that its state is that of a user in a run.
        vars(user).update(tasks=[once], on_start=lambda: None, on_stop=lambda: None)
        user.run()

    def sum_up(self) -> None:
        """Draw the conclusions from all calls together."""
        answer, failed = self.answer, self._tasks_failed
        if self._untried:
            names = ", ".join(self._untried)
            answer.warnings.append(f"Not tried within {TRIAL_SECONDS:g} s: {names}")
        if failed and len(failed) == answer.tasks:
            self._turn_into_mistakes(failed)
        if self._starts_failed and len(self._starts_failed) == self._users:
            self._turn_into_mistakes(self._starts_failed)
        if self._watch:
            answer.held = self._watch.most
        unknown = answer.failed or self._untried or self._not_begun or self._kept_at_start
        if self._watch and self._ended and not unknown and not self._total.inside:
            answer.mistakes.append(unused_pool(as_typed(self._scenario), self._total))
        elif answer.mistakes and self._total.others:
            self._advice[also_used(self._total)] = None
        answer.mistakes += self._advice

    def _turn_into_mistakes(self, failed: list[tuple[str, str]]) -> None:
        mistakes = dict(failed)
        self.answer.warnings = [line for line in self.answer.warnings if line not in mistakes]
        self.answer.mistakes += mistakes.values()

    def _call_all(
        self,
        holder: Any,
        tasks: Sequence[Any],
        begin: Callable[[], object],
        end: Callable[[], object],
    ) -> None:
        """Call what begins a user or a task set, each of its tasks, and what ends it."""
        name = type(holder).__name__
        if self._call_start(holder, begin):
            for one in dict.fromkeys(tasks):
                if isinstance(one, type) and issubclass(one, TaskSet):
                    self._call_set(one, holder)
                else:
                    self._call_task(getattr(one, "__qualname__", str(one)), one, holder)
            with self._watched(task=False):
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

    def _call_start(self, holder: Any, begin: Callable[[], object]) -> bool:
        """Call `on_start`; returns whether the tasks can follow."""
        name = f"{type(holder).__name__}.on_start"
        with self._watched(task=False) as taken:
            error = self._call(name, begin)
        self._kept_at_start += len(taken.kept)
        if error is None or isinstance(error, internals.CONTROL_FLOW):
            return True
        self._not_begun += 1
        failed = [] if is_transient(error) else self._as_mistake(name, error, begin)
        if isinstance(holder, User):
            self._starts_failed += failed
        elif error is not _UNTRIED:  # a task set, which is a task of its user
            self.answer.tasks += 1
            self.answer.failed += 1
            self._tasks_failed += failed
        return False

    def _call_task(self, name: str, one: Callable[..., object], holder: Any) -> None:
        with self._watched(task=True) as taken:
            error = self._call(name, one, holder)
        if error is _UNTRIED:
            return
        self._total.add(taken)
        self.answer.tasks += 1
        if taken.nested:
            self.answer.warnings.append(
                f"{name} takes a connection{_where('in', taken.nested)} while it holds another. "
                "Such tasks can wait for each other until pool_timeout (a deadlock): use the first "
                "connection for all, or return it before the next one is taken"
            )
        if taken.caught:
            self.answer.mistakes.append(
                f"{taken.caught} (caught by {name}; call self.succeed() if it is expected)"
            )
        if error is None:
            self._judge(name, taken)
        elif not isinstance(error, internals.CONTROL_FLOW):
            self.answer.failed += 1
            if not depends_on_state(error):
                self._tasks_failed += self._as_mistake(name, error, one)

    def _judge(self, name: str, taken: CallConnections) -> None:
        """Note what a task that returned did with its connections."""
        self._ended += 1
        if taken.kept:
            self.answer.warnings.append(
                f"{name} kept a connection after its end: close the session or the connection"
                f"{_where('of', taken.kept)}"
            )
        if self._watch and not self._kept_at_start:
            self.answer.warnings += unused_call(name, taken)

    def _watched(self, *, task: bool) -> Any:
        return self._watch.call(task=task) if self._watch else nullcontext(CallConnections())

    def _call(
        self, name: str, function: Callable[..., object], *given: Any
    ) -> BaseException | None:
        """Call a function of the scenario and note what happens.

        Returns its error, also Locust's control flow; TooLong if it reached the time limit.
        """
        if time.monotonic() >= self._ends:
            self._untried.append(name)
            return _UNTRIED
        limit = TimeLimit(TASK_SECONDS, partial(self._give_up, name))
        error: BaseException | None = None
        try:
            with limit:
                function(*given)
        except (Exception, gevent.Timeout, TooLong) as raised:
            error = raised
        if limit.raised:
            self._note_late(name, limit, caught=error is not limit.raised)
            return limit.raised
        if error is not None and not isinstance(error, internals.CONTROL_FLOW):
            self._note(name, error, function)
        return error

    def _give_up(self, name: str, raised: TooLong) -> None:
        """End this process: a call goes on, because it caught the time limit."""
        self.answer.mistakes.append(f"{self._late(name, raised)}{_CAUGHT}")
        self._end()

    def _note_late(self, name: str, limit: TimeLimit, *, caught: bool) -> None:
        assert limit.raised
        line = f"{self._late(name, limit.raised)}{_CAUGHT if caught else ''}"
        if limit.computed:
            self.answer.mistakes.append(f"{line}{_COMPUTED}")
        else:
            self.answer.warnings.append(f"{_BEFORE}{line}")

    def _late(self, name: str, raised: TooLong) -> str:
        place = error_place(raised) or as_typed(self._scenario)
        return f"{name} did not end within {TASK_SECONDS:g} s: {place}"

    def _note(self, name: str, error: BaseException, function: Callable[..., object]) -> None:
        line = self._line(name, error, function)
        if is_mistake(error):
            self.answer.mistakes.append(f"{line} (in {name})")
            if error_code(error) == _NO_SUCH_TABLE and self._missing_table:
                self._advice[self._missing_table] = None
            return
        self.answer.warnings.append(f"{_BEFORE}{name} failed: {line}")
        self.answer.unexplained += not depends_on_state(error)

    def _as_mistake(
        self, name: str, error: BaseException, function: Callable[..., object]
    ) -> list[tuple[str, str]]:
        """The warning about a doubtful error and the mistake that it may become, as a list."""
        if is_mistake(error):
            return []
        line = self._line(name, error, function)
        return [(f"{_BEFORE}{name} failed: {line}", f"{line} (in {name})")]

    def _line(self, name: str, error: BaseException, function: Callable[..., object]) -> str:
        called = isinstance(error, TypeError) and not error_place(error)
        place = place_of_def(function) if called else ""
        line = error_line(error, self._scenario, place)
        if place:
            return f"{line}: {name} takes only self"
        if _OUTSIDE_OF_FLASK in str(error):
            return f"{line.rstrip('.')}: give --session {_flask_session(self._engine)}"
        return line


# Stands for the error of a call for which there was no time.
_UNTRIED = TooLong()


def _flask_session(engine: str) -> str:
    """The Flask-SQLAlchemy session beside an engine that an option named."""
    module = engine.partition(":")[0] or "MODULE"
    name = engine.partition(":")[2].removesuffix(".engine") if engine.endswith(".engine") else "db"
    return f"{module}:{name}.session"


def _where(word: str, places: Iterable[str]) -> str:
    """The first known place where a connection was taken, after a word; empty without one."""
    known = next(filter(None, places), "")
    return f" {word} {known}" if known else ""


def _without_task(cls: type) -> str:
    try:
        line = inspect.getsourcelines(cls)[1]
    except OSError:  # a class that was made in another way
        line = None
    place = line_in_file(inspect.getfile(cls), line)
    return f"{place}: {cls.__name__} has no task: decorate its methods with @task"
