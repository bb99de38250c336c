"""The Locust user that takes its session from the pool under test."""

from __future__ import annotations

from locust import User
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

import random
from threading import get_ident
from types import TracebackType
from typing import Any, ClassVar

from sqlalchemy import MetaData
from sqlalchemy.orm import Session

from loadtest.database.failures import kind_of, words_of
from loadtest.load.target import Target
from loadtest.pool.batch import clock
from loadtest.pool.uses import Task


class PoolUser(User):
    """A user whose tasks run on child sessions of the one parent session of this process.

    metadata: the scenario's tables, made anew before each run; their names begin with `loadtest_`.
    options: the values of the run's options, fixed when the run started.
    idle_since: when its last task ended, in clock nanoseconds; 0 before the first.
    random: a generator of random numbers of this user's own, from the run's seed.
    """

    abstract = True
    metadata: ClassVar[MetaData | None] = None

    @classmethod
    def add_options(cls, group: Any) -> None:
        """Add the scenario's own options to an argparse group; the start form shows them too."""

    @classmethod
    def fill(cls, session: Session, options: Any) -> None:
        """Put the rows into the scenario's tables; what it leaves uncommitted is committed."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._target: Target | None = environment.loadtest.target
        self.options = self._target.options if self._target else environment.parsed_options
        self.idle_since = 0
        self.random = self._target.new_random() if self._target else random.Random()

    def stop(self, force: bool = False) -> bool:
        """As Locust's, but a user who only yields between tasks is asked to stop, never killed.

        The kill would arrive in the middle of the next task and cost a healthy connection.
        """
        if not force and self._state == LOCUST_STATE_WAITING and not self.wait_time():
            self._state = LOCUST_STATE_STOPPING
            return False
        return bool(super().stop(force))

    def session(self, name: str) -> SessionTask:
        """A context manager that gives the child session and times the task under this name.

        It fires Locust's `request` event, gives the connection back and lets errors pass.
        """
        if self._target is None:
            raise StopUser
        return SessionTask(self, self._target, name)


class SessionTask(Task):
    """One timed piece of work with a child session."""

    __slots__ = ("_ident", "_start", "_target", "_user")

    def __init__(self, user: PoolUser, target: Target, name: str) -> None:
        super().__init__(name, target.recorder.uses[name])
        self._user, self._target = user, target

    def __enter__(self) -> Session:
        user, target = self._user, self._target
        self._ident = ident = get_ident()
        self._start = now = clock()
        target.recorder.tasks[ident] = self
        if user.idle_since:
            target.recorder.thinks.append(now - user.idle_since)
        return target.parent()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._target.parent.remove()
        except Exception as late:
            # The session could not be closed in order; without this the user would keep it.
            self._target.parent.registry.clear()
            error = error or late
            raise
        finally:
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        user, recorder = self._user, self._target.recorder
        user.idle_since = now = clock()
        elapsed = now - self._start
        recorder.tasks.pop(self._ident, None)
        self.over = True
        if error is None:
            recorder.requests.append(elapsed)
        elif isinstance(error, Exception):
            recorder.failed(elapsed, kind_of(error), words_of(error))
        else:
            return  # the user was killed: neither a success nor a failure
        user.environment.events.request.fire(
            request_type="session",
            name=self.name,
            response_time=elapsed / 1e6,
            response_length=0,
            exception=error,
            context={},
        )


def with_options(cls: type[PoolUser] = PoolUser) -> list[type[PoolUser]]:
    """The classes below this one that bring options of their own, each once."""
    found: dict[type[PoolUser], None] = {}
    for child in cls.__subclasses__():
        if "add_options" in vars(child):
            found[child] = None
        found |= dict.fromkeys(with_options(child))
    return list(found)
