"""Measures the work of dialects: the pings and resets of a pool, and the queries of a hold.

The pool gets a dialect of its own for ping and reset, because the engine's dialect also does the
sessions' ROLLBACK and COMMIT, which do not belong to the pool. `do_execute`, its variants and
`do_commit` are shadowed on the engine's dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Engine

from loadtest.pool import sqlalchemy_internals as internals
from loadtest.pool.checkout_batch import clock
from loadtest.pool.measured_places import placed_execute, placed_query
from loadtest.pool.recorder import Recorder
from loadtest.pool.shadow import shadow, unshadow
from loadtest.pool.task_usage import Task

_QUERIES = ("do_execute", "do_executemany", "do_execute_no_params", "do_commit")


def measure_dialects(engine: Engine, recorder: Recorder) -> None:
    """Record the pings and resets of this engine's pool, and the queries of its connections."""
    reset, ping = partial(_measured_reset, recorder), partial(_measured_ping, recorder)
    internals.give_own_dialect(engine.pool, reset, ping)
    of_execute, of_query = (
        (placed_execute, placed_query) if recorder.places else (_measured_execute, _measured_query)
    )
    for name in _QUERIES:
        wrap = of_execute if name == "do_execute" else of_query
        shadow(engine.dialect, name, partial(wrap, recorder))
    recorder.deadlocks.query_codes = {getattr(engine.dialect, name).__code__ for name in _QUERIES}


def forget(engine: Engine) -> None:
    """Stop measuring an engine's dialect; measuring a pool ends with the pool."""
    unshadow(engine.dialect, _QUERIES)


def _measured_execute(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    # As `_measured_query`, for the method of every statement: `*arguments` would double the cost.
    tasks, no_task, current_user = recorder.tasks, recorder.no_task, recorder.current_user

    def execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> Any:
        task = tasks.get(current_user(), no_task)
        start = clock()
        try:
            result = original(cursor, statement, parameters, context)
        except BaseException as error:
            _failed_query(task, start, error)
            raise
        task.use.queries.append(clock() - start)
        if task.failed_attempts:
            task.recovered(statement)
        return result

    return execute


def _measured_query(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    tasks, no_task, current_user = recorder.tasks, recorder.no_task, recorder.current_user

    def query(*arguments: Any) -> Any:
        task = tasks.get(current_user(), no_task)
        start = clock()
        try:
            result = original(*arguments)
        except BaseException as error:
            _failed_query(task, start, error)
            raise
        task.use.queries.append(clock() - start)
        if task.failed_attempts:
            task.recovered(*arguments[1:2])  # the statement, except of a COMMIT
        return result

    return query


def _failed_query(task: Task, start: int, error: BaseException) -> None:
    task.use.queries.append(clock() - start)
    task.attempt_failed(error)


def _measured_reset(recorder: Recorder, original: Callable[[Any], None]) -> Callable[[Any], None]:
    resets = recorder.resets.append

    def reset(connection: Any) -> None:
        start = clock()
        original(connection)
        resets(clock() - start)

    return reset


def _measured_ping(recorder: Recorder, original: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def ping(dbapi_connection: Any) -> bool:
        user = recorder.current_user()
        start = clock()
        try:
            return original(dbapi_connection)
        finally:
            if user in recorder.pending:
                recorder.phases_of(user, start).ping += clock() - start

    return ping
