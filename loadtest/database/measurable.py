"""The engines and sessions of an application that can be measured, and the refusals of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
)
from sqlalchemy.orm import Session

from loadtest.database.engine import check_address
from loadtest.database.redaction import words_with_type
from loadtest.database.session_dependency import is_async_function, is_parent, parent_behind
from loadtest.model.errors import UsageError

_ASYNC = (AsyncEngine, AsyncSession, async_scoped_session, async_sessionmaker)
_NO_ASYNC = (
    "it is async, and loadtest measures synchronous engines: use create_engine() with "
    "mysql+pymysql:// and a sessionmaker or scoped_session"
)


class OtherObject(UsageError):
    """A named object of another kind; the message follows its name: `is an int, not an Engine`."""


def measurable_engine(engine: Any) -> Engine:
    """The engine itself. Raises UsageError if it cannot be measured."""
    if isinstance(engine, _ASYNC) or (isinstance(engine, Engine) and engine.dialect.is_async):
        raise UsageError(_NO_ASYNC)
    if not isinstance(engine, Engine):
        raise OtherObject(f"is {_kind(engine)}, not an Engine")
    if engine.dialect.name not in ("mysql", "mariadb"):
        raise UsageError(
            f"it is an engine for {engine.dialect.name}; loadtest measures MySQL and MariaDB"
        )
    check_address(engine.url)
    return engine


def session_source(found: Any) -> Any:
    """The scoped_session or sessionmaker that was named, or that a named function uses.

    Raises UsageError without one.
    """
    if isinstance(found, _ASYNC) or is_async_function(found):
        raise UsageError(_NO_ASYNC)
    if source := found if is_parent(found) else parent_behind(found):
        return source
    raise OtherObject(f"is {_kind(found)}, not a scoped_session or sessionmaker")


def _kind(thing: Any) -> str:
    if thing is None:
        return "None"
    if isinstance(thing, type):
        return f"the class {thing.__name__}"
    name = type(thing).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def engine_of_sessions(factory: Callable[[], Any]) -> Any:
    """The engine that all sessions of a factory use. Raises UsageError if there is not one."""
    try:
        session = factory()
    except Exception as error:
        raise UsageError(f"it cannot make a session: {words_with_type(error)}") from None
    if isinstance(session, _ASYNC):
        raise UsageError(_NO_ASYNC)
    options = getattr(factory, "kw", {})
    engines = [session.bind, *(options.get("binds") or {}).values()]
    pools = {id(getattr(engine, "pool", engine)) for engine in engines if engine is not None}
    session.close()
    if len(pools) > 1 or type(session).get_bind is not Session.get_bind:
        raise UsageError(
            "its sessions choose among several engines (binds or get_bind), but loadtest measures "
            "one: name that engine with --engine"
        )
    if not pools:
        raise UsageError(
            "it has no engine after the import: bind one, with sessionmaker(bind=engine)"
        )
    return next(engine for engine in engines if engine is not None)
