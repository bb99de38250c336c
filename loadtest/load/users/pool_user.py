"""The Locust user that takes its session from the pool under test."""

from __future__ import annotations

from locust.exception import StopTest

import logging
import random
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import gevent
from gevent.pool import Group
from greenlet import getcurrent
from sqlalchemy import MetaData
from sqlalchemy.orm import Session

from loadtest.database.failure_kinds import kind_of, words_of
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.locust_internals import PromptUser, running_users
from loadtest.load.users.arrivals import Arrivals
from loadtest.load.users.arriving_users import follow_arrivals
from loadtest.load.users.precise_timer import PreciseTimer
from loadtest.load.users.session_task import DECLARED_FAILURE, DueTask, SessionTask
from loadtest.pool.checkout_batch import clock
from loadtest.pool.task_usage import RequestFailed

logger = logging.getLogger("loadtest")


class PoolUser(PromptUser):
    """A user whose tasks run on child sessions of the one parent session of this process.

    metadata: the scenario's tables, recreated before each run and dropped at the end; on a server
    that the tool did not start, their names begin with `loadtest_`.
    options: the values of the run's options, fixed when the run started.
    idle_since: the end of its last task in clock nanoseconds; at first, its creation.
    In an open loop its tasks begin when arrivals are due, not after the scenario's `wait_time`.
    error_counted: the last error of one of its sessions.
    random: this user's own random number generator, from the run's seed.
    """

    abstract = True
    metadata: ClassVar[MetaData | None] = None

    @classmethod
    def add_options(cls, group: Any) -> None:
        """Add the scenario's own options to an argparse group; the start form shows them too."""

    @classmethod
    def fill(cls, session: Session, options: Any) -> None:
        """Insert the rows of the scenario's tables; changes are committed afterwards."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._target: EngineUnderTest | None = environment.loadtest.target
        self.options = self._target.options if self._target else environment.parsed_options
        self.idle_since = clock()
        self.error_counted: BaseException | None = None
        self._spare: dict[str, SessionTask] = {}
        self._due, self._kind = 0, SessionTask
        if self._target and self._target.arrivals:
            self._follow(self._target.arrivals, self._target.alarm)
        self.random = self._target.new_random() if self._target else random.Random()

    def _follow(self, arrivals: Arrivals, alarm: PreciseTimer | None) -> None:
        def take() -> int:
            self._due = arrivals.take()
            return self._due

        self._kind = DueTask
        follow_arrivals(self, take, alarm)

    def late(self, now: int) -> int:
        """The schedule lag (ns) of this user's arrival for its first session, else zero."""
        due, self._due = self._due, 0
        if not due or self._target is None:
            return 0
        self._target.recorder.schedule_lags.append(max(0, now - due))
        return max(0, now - due)

    def called_off(self) -> None:
        """Forget the due arrival; `on_stop` is not part of it."""
        self._due = 0

    def count_error(self, error: BaseException) -> None:
        """Count an error of a task, unless a session counted it, or the error that led to it."""
        if self._target is None or self._is_counted(error):
            return
        now = clock()
        elapsed = self.late(now) or now - self.idle_since
        self._target.recorder.failed(elapsed, kind_of(error), words_of(error))
        self.idle_since = now

    def _is_counted(self, error: BaseException | None) -> bool:
        while error is not None and error is not self.error_counted:
            error = error.__context__
        return error is not None

    def fail(self, reason: str) -> None:
        """Declare the request of the current `with self.session(…)` block failed.

        The last declaration decides: it overrides later statements and an exception that leaves the
        block. Raises RuntimeError outside of a block.
        """
        self._request().declared.append(RequestFailed(DECLARED_FAILURE, reason))

    def succeed(self) -> None:
        """Declare the request of the current block a success, whatever failed; see `fail`."""
        self._request().declared.append(None)

    def _request(self) -> SessionTask:
        """The request of the innermost block in this greenlet or thread."""
        task = self._target.recorder.tasks.get(getcurrent()) if self._target else None
        if not isinstance(task, SessionTask):
            raise RuntimeError(
                "self.fail() and self.succeed() work inside of `with self.session(…)` only, in the "
                "greenlet or thread that opened the block"
            )
        return task

    def checked(self, transactions: int, *, lost: int = 0, doubled: int = 0) -> None:
        """Report the results of this user's own check; call it once, at the end (`on_stop`).

        transactions: the confirmed commits. lost: of these, those that are missing. doubled: those
        that exist once too often.
        """
        if self._target is not None:
            self._target.sums.append((transactions, lost, doubled))

    def session(self, name: str) -> SessionTask:
        """A context manager that gives the child session and times the task under this name.

        If another scenario has the name, too, the name of this scenario stands in front of it.

        It fires Locust's `request` event, returns the connection and does not catch errors. The
        request fails if an error leaves the block, or if its last checkout or statement failed.
        Raises StopTest in a refused run.
        """
        if self._target is None:
            raise StopTest("this run was refused")
        spare = self._spare
        return spare.pop(name, None) or self._kind(self, self._target, name, spare)


def note_error(user_instance: Any, exception: BaseException, **_: Any) -> None:
    """A listener for Locust's `user_error`: count errors outside of a session."""
    user = getattr(user_instance, "user", user_instance)
    if isinstance(user, PoolUser):
        user.count_error(exception)


def end_again(runner: Any, seconds: float) -> Callable[[], None]:
    """Kill the remaining users after some seconds; the returned function cancels that.

    Locust kills each user once, and waits for ever if its `on_stop` then queries a silent server.
    """

    def end() -> None:
        left = running_users(runner)
        if isinstance(left, Group) and left:  # Locust neither kills threads nor waits for them
            logger.warning(
                "%d users still wait for an answer in on_stop: the run ends them", len(left)
            )
            left.kill(block=False)

    return partial(gevent.spawn_later(seconds, end).kill, block=False)


def with_options(cls: type[PoolUser] = PoolUser) -> list[type[PoolUser]]:
    """The subclasses that have options of their own, each once."""
    found: dict[type[PoolUser], None] = {}
    for child in cls.__subclasses__():
        if "add_options" in vars(child):
            found[child] = None
        found |= dict.fromkeys(with_options(child))
    return list(found)
