"""One request of a pool user: its session and its time."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from greenlet import getcurrent
from sqlalchemy.orm import Session

from loadtest.database.failure_kinds import kind_of, words_of
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.pool.checkout_batch import clock
from loadtest.pool.task_usage import Task

if TYPE_CHECKING:
    from loadtest.load.users.pool_user import PoolUser


class SessionTask(Task):
    """One timed request with a child session; reused for later requests of the same name.

    spare: where it waits for reuse. lag: the schedule lag (ns) at its begin.
    """

    __slots__ = (
        *("_arguments", "_child", "_fire", "_parent", "_recorder", "_session", "_shared"),
        *("_spare", "_start", "_tasks", "_user", "lag"),
    )

    def __init__(
        self, user: PoolUser, target: EngineUnderTest, name: str, spare: dict[str, SessionTask]
    ) -> None:
        super().__init__(name, target.recorder.uses[name])
        self._user, self._spare, self.lag = user, spare, 0
        self._parent = target.parent
        self._child, self._arguments = target.child, target.child_arguments
        self._recorder = target.recorder
        self._tasks, self._shared = target.recorder.tasks, target.shared
        self._fire = user.environment.events.request.fire

    def __enter__(self) -> Session:
        greenlet, tasks, parent = getcurrent(), self._tasks, self._parent
        self._start = clock()
        if self._shared or greenlet in tasks:
            session = parent()  # the application's, or that of the session around this one
        else:
            # As `parent()`, without its look-up of an existing session: under gevent the look-up
            # takes longer than all measuring of a checkout.
            make, arguments = self._child, self._arguments
            session = make(**arguments)
            parent.registry.set(session)
        self._session, tasks[greenlet] = session, self
        return session

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # As `parent.remove()`, without its three look-ups of the session.
        try:
            self._session.close()
            if self._shared:
                self._parent.remove()  # the application may have begun another session
        except BaseException as late:
            error = error or late
            raise
        finally:
            self._parent.registry.clear()  # also if closing failed
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        user, recorder, fire = self._user, self._recorder, self._fire
        start, now = self._start, clock()
        elapsed = now - start + self.lag
        self._tasks.pop(getcurrent(), None)  # of nested sessions the inner one has ended it
        recorder.thinks.append(start - user.idle_since)
        user.idle_since = now
        if self.held:
            self.over = True  # so that leaked connections count for this task, not for the next
        else:
            self._spare[self.name] = self
        if error is None:
            recorder.requests.append(elapsed)
        elif isinstance(error, Exception):
            recorder.failed(elapsed, kind_of(error), words_of(error))
            user.error_counted = error
        else:
            return  # the user was killed: neither a success nor a failure
        fire(
            request_type="session",
            name=self.name,
            response_time=elapsed / 1e6,
            response_length=0,
            exception=error,
            context={},
        )


class DueTask(SessionTask):
    """A request in an open loop, timed from the moment when its arrival was due."""

    __slots__ = ()

    def __enter__(self) -> Session:
        session = super().__enter__()
        self.lag = self._user.late(self._start)
        return session
