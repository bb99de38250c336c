"""The sessions of Flask-SQLAlchemy: they and their engine exist in an application context only."""

from __future__ import annotations

import sys
from operator import attrgetter
from threading import local
from types import ModuleType
from typing import Any

from flask import Flask, has_app_context
from sqlalchemy import Engine
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.util import ScopedRegistry

from loadtest.model.errors import UsageError


class ContextSession(scoped_session[Any]):
    """The `db.session` of an app, for users that have no application context."""

    def __init__(self, original: scoped_session[Any], app: Flask) -> None:
        self._original = original
        self.session_factory = original.session_factory
        self.registry = _Contexts(original.registry, app)

    def remove(self) -> None:
        """Close the session of the current context."""
        self._original.remove()


class _Contexts(ScopedRegistry[Any]):
    """The registry of a `db.session`: a user that asks for a session is in a context until `clear`.

    Each call for a session is followed by one `clear`.
    """

    def __init__(self, original: ScopedRegistry[Any], app: Flask) -> None:
        super().__init__(original.createfunc, self._scope)
        self._original, self._app = original, app
        self._entered = local()

    def __call__(self) -> Any:
        """The session of the current context; without a context, of a new one."""
        self._enter()
        try:
            return self._original()
        except BaseException:
            self._leave()
            raise

    def has(self) -> bool:
        """Whether the current context has a session."""
        return self._original.has()

    def set(self, obj: Any) -> None:
        """Set the session of the current context."""
        self._original.set(obj)

    def clear(self) -> None:
        """Forget the session, and leave the context if the call for the session entered it."""
        try:
            self._original.clear()
        finally:
            self._leave()

    def _scope(self) -> Any:
        self._enter()
        return self._original.scopefunc()

    def _enter(self) -> None:
        context = None if has_app_context() else self._app.app_context()
        if context:
            context.push()
        self._contexts().append(context)

    def _leave(self) -> None:
        if context := self._contexts().pop():
            context.pop()

    def _contexts(self) -> list[Any]:
        """The context that each of this user's calls for a session entered; None: it had one."""
        if not hasattr(self._entered, "contexts"):
            self._entered.contexts = []
        found: list[Any] = self._entered.contexts
        return found


def uses_flask(parent: scoped_session[Any]) -> bool:
    """Whether the sessions are those of Flask-SQLAlchemy."""
    return _extension(parent) is not None


def with_context(parent: scoped_session[Any]) -> tuple[ContextSession, Engine]:
    """A `db.session` that works without an application context, and the engine of its app.

    Raises UsageError if no imported module has the app, or if the app has several engines.
    """
    db = _extension(parent)
    app = _app_of(db)
    if app is None:
        raise UsageError(
            "its sessions need a Flask app, and no imported module has one: make the app in your "
            "scenario or in the module that you name, with app = create_app()"
        )
    with app.app_context():
        engines = dict(db.engines)
    if len(engines) != 1:
        keys = ", ".join(sorted(map(repr, engines)))
        raise UsageError(
            f"its sessions choose among several engines ({keys}), but loadtest measures one: take "
            "that engine with `with app.app_context(): engine = db.engines[KEY]`, and name it with "
            "--engine"
        )
    return ContextSession(parent, app), next(iter(engines.values()))


def attribute_in_context(module: ModuleType, path: str) -> Any:
    """An attribute that exists in an app's context only, like `db.engine`.

    Raises RuntimeError if no imported module has the app.
    """
    app = _app_of(attrgetter(path.rpartition(".")[0] or path)(module))
    if app is None:
        raise RuntimeError(f"{path} needs a Flask app, and no imported module has one")
    with app.app_context():
        return attrgetter(path)(module)


def _extension(parent: scoped_session[Any]) -> Any:
    """The Flask-SQLAlchemy object that made a session; None for other sessions."""
    factory: Any = parent.session_factory
    kind, db = getattr(factory, "class_", Session), getattr(factory, "kw", {}).get("db")
    named = any(one.__module__.startswith("flask_sqlalchemy.") for one in kind.__mro__)
    return db if named else None


def _app_of(db: Any) -> Flask | None:
    """The Flask app, in any imported module, that has this extension."""
    modules = [getattr(module, "__dict__", {}) for module in list(sys.modules.values())]
    things = (thing for names in modules for thing in list(names.values()))
    apps = (thing for thing in things if issubclass(type(thing), Flask))
    return next((app for app in apps if app.extensions.get("sqlalchemy") is db), None)
