"""One request of a pool user: its session, its time and its outcome."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from greenlet import GreenletExit, getcurrent, greenlet
from sqlalchemy.orm import Session

from loadtest.database.failure_kinds import kind_of, words_of
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.locust_internals import CONTROL_FLOW
from loadtest.pool.checkout_batch import clock
from loadtest.pool.task_usage import RequestFailed, Task, user_in_context

if TYPE_CHECKING:
    from loadtest.load.users.pool_user import PoolUser

# The kind of requests that the scenario declares failed.
DECLARED_FAILURE = "declared_failure"
# The type of its requests in Locust.
SESSION_REQUEST = "session"
CAUGHT = "caught by the application"
# The attribute of an error with the failed attempt that it was.
_ATTEMPT = "loadtest_attempt"


class SessionTask(Task):
    """One timed request with a child session; reused for later requests of the same name.

    spare: where it waits for reuse. lag: the schedule lag (ns) at its begin. declared: the outcomes
    that the scenario declared, of which the last one counts; None stands for a success.
    """

    __slots__ = (
        *("_arguments", "_child", "_fire", "_key", "_outer", "_parent", "_recorder"),
        *("_registry", "_session", "_shared", "_spare", "_start", "_succeeded", "_tasks"),
        *("_thought", "_user", "declared", "lag"),
    )

    def __init__(
        self, user: PoolUser, target: EngineUnderTest, name: str, spare: dict[str, SessionTask]
    ) -> None:
        shown = target.request_names.get(type(user), {}).get(name, name)
        super().__init__(shown, target.recorder.uses[shown])
        self._user, self._spare, self._key, self.lag = user, spare, name, 0
        self._parent, self._registry = target.parent, target.parent.registry
        self._child, self._arguments = target.child, target.child_arguments
        self._recorder = recorder = target.recorder
        self._succeeded, self._thought = recorder.requests.append, recorder.thinks.append
        self._tasks, self._shared = recorder.tasks, target.shared
        self._fire = user.environment.events.request.fire
        self.declared: list[RequestFailed | None] = []
        self._outer: Task | None = None
        user_in_context.set(id(getcurrent()))

    def __enter__(self) -> Session:
        current, tasks = getcurrent(), self._tasks
        self._start = clock()
        if self._shared or current in tasks:
            self._outer = tasks.get(current)
            session = self._parent()  # the application's, or that of the session around this one
        else:
            # As `parent()`, without its look-up of an existing session: under gevent the look-up
            # takes longer than all measuring of a checkout.
            make, arguments = self._child, self._arguments
            session = make(**arguments)
            self._registry.set(session)
        # The greenlet is not kept: at the end of a thread that takes a search of the whole heap.
        self._session, tasks[current] = session, self
        return session

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # As `parent.remove()`, without its three look-ups of the session.
        try:
            try:
                self._session.close()
                if self._shared:
                    self._parent.remove()  # the application may have begun another session
            finally:
                self._registry.clear()  # also if closing failed
        except BaseException as late:
            if error is None or isinstance(error, CONTROL_FLOW):
                error = late
            raise
        finally:
            self._end(error)

    @property
    def began(self) -> int:
        """The moment of its begin (ns)."""
        return self._start

    def attempt_failed(self, error: BaseException) -> None:
        """Keep the kind and the message; the exception would keep the task's objects alive."""
        attempt = RequestFailed(kind_of(error), f"{words_of(error)} ({CAUGHT})")
        self.failed_attempts.append(attempt)
        vars(error)[_ATTEMPT] = attempt  # the class may refuse `setattr`, as frozen ones do

    def loss_explained(self, error: BaseException) -> None:
        """Give the attempt of this error the kind that says why its connection was lost."""
        attempt = getattr(error, _ATTEMPT, None)
        if isinstance(attempt, RequestFailed):
            attempt.kind = kind_of(error)

    def _end(self, error: BaseException | None) -> None:
        user, start, now = self._user, self._start, clock()
        # As locals, because Python calls the content of a slot more slowly.
        thought, succeeded, fire = self._thought, self._succeeded, self._fire
        elapsed = now - start + self.lag
        if self._outer is None:
            self._tasks.pop(getcurrent(), None)
        else:  # the task of the block around this one goes on
            self._tasks[getcurrent()], self._outer = self._outer, None
        thought(start - user.idle_since)
        user.idle_since = now
        if self.held:
            self.over = True  # so that leaked connections count for this task, not for the next
        else:
            self._spare[self._key] = self
        if error is None and not self.failed_attempts and not self.declared:
            succeeded(elapsed)
        else:
            counts, error = self._judged(error, elapsed)
            if not counts:
                return
        fire(
            request_type=SESSION_REQUEST,
            name=self.name,
            response_time=elapsed / 1e6,
            response_length=0,
            exception=error,
            context={},
        )

    def _judged(
        self, error: BaseException | None, elapsed: int
    ) -> tuple[bool, BaseException | None]:
        """Record an outcome that is no plain success.

        Returns whether it counts as a request, and the exception for Locust.
        """
        recorder, declared = self._recorder, bool(self.declared)
        failure = self._failure(error)
        self.failed_attempts.clear()
        self.declared.clear()
        self._user.error_counted = error
        if self._is_killed(error):
            return False, None
        if failure is not None:
            kind, reason, shown = failure
            recorder.failed(elapsed, kind, words_of(reason))
            return True, shown
        if error is not None and not declared:
            recorder.abandoned.append(elapsed)
            return False, None
        self._succeeded(elapsed)
        return True, None

    def _failure(
        self, error: BaseException | None
    ) -> tuple[str, BaseException, BaseException] | None:
        """The kind of a failed request, the error that explains it, and the one for Locust.

        None if it did not fail. A declared outcome comes before an exception that leaves the block,
        and that before a failed attempt; Locust's control flow decides nothing.
        """
        attempt = self.failed_attempts[-1] if self.failed_attempts else None
        if self.declared:
            attempt = self.declared[-1]
        elif error is not None and not isinstance(error, CONTROL_FLOW):
            kind = kind_of(error)
            if attempt is not None and kind == "other" != attempt.kind:
                return attempt.kind, attempt, error  # the application raised its own error instead
            return kind, error, error
        return (attempt.kind, attempt, attempt) if attempt else None

    def _is_killed(self, error: BaseException | None) -> bool:
        """Whether Locust ended the user, not the scenario one of its own helpers."""
        own = self._user.greenlet
        helper = isinstance(own, greenlet) and own is not getcurrent()
        return isinstance(error, GreenletExit) and not helper


class DueTask(SessionTask):
    """A request in an open loop, timed from the moment when its arrival was due."""

    __slots__ = ()

    def __enter__(self) -> Session:
        session = super().__enter__()
        self.lag = self._user.late(self._start)
        return session
