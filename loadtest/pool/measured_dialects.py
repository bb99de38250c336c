"""Measures the work of dialects: the pings and resets of a pool, and the queries of a hold.

The pool gets a dialect of its own for ping and reset, because the engine's dialect also does the
sessions' ROLLBACK and COMMIT, which do not belong to the pool. `do_execute`, its variants and
`do_commit` are shadowed on the engine's dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from greenlet import getcurrent
from sqlalchemy import Engine

from loadtest.pool import sqlalchemy_internals as internals
from loadtest.pool.checkout_batch import clock
from loadtest.pool.recorder import Recorder
from loadtest.pool.task_usage import Task

_QUERIES = ("do_execute", "do_executemany", "do_execute_no_params", "do_commit")


def measure_dialects(engine: Engine, recorder: Recorder) -> None:
    """Record the pings and resets of this engine's pool, and the queries of its connections."""
    reset, ping = partial(_measured_reset, recorder), partial(_measured_ping, recorder)
    internals.give_own_dialect(engine.pool, reset, ping)
    for name in _QUERIES:
        wrap = _measured_execute if name == "do_execute" else _measured_query
        setattr(engine.dialect, name, wrap(recorder, getattr(engine.dialect, name)))
    recorder.deadlocks.query_codes = {getattr(engine.dialect, name).__code__ for name in _QUERIES}


def forget(engine: Engine) -> None:
    """Stop measuring an engine's dialect; measuring a pool ends with the pool."""
    for name in _QUERIES:
        shadow = getattr(engine.dialect, name)
        setattr(engine.dialect, name, getattr(shadow, "shadowed", shadow))


def _measured_execute(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    # As `_measured_query`, for the method of every statement: `*arguments` would double the cost.
    tasks, nobody = recorder.tasks, recorder.nobody

    def execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> Any:
        task = tasks.get(getcurrent(), nobody)
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

    execute.shadowed = original  # type: ignore[attr-defined]
    return execute


def _measured_query(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    tasks, nobody = recorder.tasks, recorder.nobody

    def query(*arguments: Any) -> Any:
        task = tasks.get(getcurrent(), nobody)
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

    query.shadowed = original  # type: ignore[attr-defined]
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
        user = getcurrent()
        start = clock()
        try:
            return original(dbapi_connection)
        finally:
            if user in recorder.pending:
                recorder.phases_of(user, start).ping += clock() - start

    return ping
