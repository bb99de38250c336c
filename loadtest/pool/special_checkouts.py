"""Checkouts that fail, and checkouts by a listener during another checkout."""

from __future__ import annotations

from collections.abc import Callable

from greenlet import GreenletExit, greenlet
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection

from loadtest.pool.checkout_batch import Checkout, Outcome, clock
from loadtest.pool.recorder import Recorder
from loadtest.pool.task_usage import Task


def checkout_of_listener(
    recorder: Recorder, user: greenlet, connect: Callable[[], PoolProxiedConnection]
) -> PoolProxiedConnection:
    """A checkout by a listener during its user's checkout; the wait of the first one has ended."""
    recorder.phases_of(user, clock()).nested = True
    task = recorder.tasks.get(user, recorder.no_task)
    task.held += 1
    try:
        with recorder.set_aside(user):
            return connect()
    finally:
        task.held -= 1


def failed_checkout(
    recorder: Recorder, user: greenlet, start: int, error: BaseException, task: Task
) -> Checkout | None:
    """Record the end of a user's checkout, which raised an error; None if its user was killed."""
    end = clock()
    del recorder.pending[user]
    recorder.deadlocks.helpers.pop(user, None)
    recorder.connecting.discard(user)
    phases = recorder.phases.pop(user, None)
    if isinstance(error, GreenletExit):
        return None  # killed during the checkout: neither a finished wait nor a timeout
    if phases:
        phases.connected(end)
    # A timeout after the wait comes from a checkout that a listener made.
    outcome: Outcome = "timeout" if isinstance(error, PoolTimeout) and not phases else "error"
    task.attempt_failed(error)
    waiting, is_open = len(recorder.pending), len(recorder.opened)
    checkout = Checkout(start, end, id(user), task, phases, outcome, waiting, is_open)
    recorder.noticed.append(checkout)
    return checkout
