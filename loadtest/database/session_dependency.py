"""The sessionmaker behind a function that hands out sessions, like a dependency of FastAPI."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, TypeGuard

from sqlalchemy.orm import Session, scoped_session, sessionmaker

from loadtest.database.redaction import words_with_type
from loadtest.model.errors import UsageError

Parent = scoped_session[Any] | sessionmaker[Any]
"""A parent session: users take their sessions from it."""


def is_parent(thing: Any) -> TypeGuard[Parent]:
    """Whether a thing is a parent session."""
    return isinstance(thing, scoped_session | sessionmaker)


def is_async_function(thing: Any) -> bool:
    """Whether a thing is a function that must be awaited."""
    function = inspect.unwrap(thing) if callable(thing) else thing
    return inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function)


def parent_behind(thing: Any) -> Parent | None:
    """The sessionmaker or scoped_session that a function uses; None if there is none.

    It is the one that the function's code names, otherwise one with the engine of the session that
    a call returns or yields. Raises UsageError if that call fails.
    """
    function = inspect.unwrap(thing) if callable(thing) else thing
    if not isinstance(function, FunctionType):
        return None
    named = next(_named_parents(function), None)
    return named or (_parent_of(_called(function)) if _needs_nothing(function) else None)


def _named_parents(function: FunctionType) -> Iterator[Parent]:
    for name in function.__code__.co_names:
        thing = function.__globals__.get(name)
        if is_parent(thing):
            yield thing


def _needs_nothing(function: Callable[..., Any]) -> bool:
    """Whether a function can be called without arguments."""
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    return True


def _called(function: Callable[[], Any]) -> Any:
    """The result of a function, or its first yielded value; a session is closed."""
    try:
        found = function()
        if inspect.isgenerator(found):
            steps, found = found, next(found)
            steps.close()
        if isinstance(found, Session):
            found.close()
    except Exception as error:
        raise UsageError(f"its call failed: {words_with_type(error)}") from None
    return found


def _parent_of(found: Any) -> Parent | None:
    if isinstance(found, Session) and found.bind is not None:
        return sessionmaker(bind=found.bind, class_=type(found))
    return found if is_parent(found) else None
