"""The application that a run's options name, checked for use by greenlets."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent
import gevent.local
from gevent import monkey
from gevent.event import Event

from loadtest.database.application import (
    DATABASE_URL,
    Application,
    find_application,
    refuse_second_database,
)
from loadtest.load.options.pool_options import pool_config
from loadtest.model.errors import UsageError
from loadtest.model.load import THREADS
from loadtest.model.pool import PoolConfig
from loadtest.pool.sqlalchemy_internals import session_storage


def load_application(environment: Any) -> Application | None:
    """The application that a run's options name, imported in this process; None if they name none.

    Call it after Locust's `init`, when workers are forked: each must import its own. Modules are
    also searched in the scenarios' folders. Raises UsageError, and NeedsDatabase if the application
    reads the address of its database from the environment and the options have none.
    """
    options, files = environment.parsed_options, environment.parsed_locustfiles or []
    if (options.session or options.engine) and options.database_url:
        os.environ[DATABASE_URL] = options.database_url
    application = find_application(
        options.session, options.engine, [Path(f).absolute().parent for f in files]
    )
    if application is None:
        return None
    refuse_second_database(application, options.database_url)
    if getattr(getattr(environment, "runner", None), "model", "") != THREADS:
        _check_greenlets(application)
    return application


def measured_pool(options: Namespace, application: Application | None) -> PoolConfig:
    """The settings of the pool under test; UsageError lists every mistake."""
    pool = pool_config(options)
    return application.described(pool) if application else pool


def connecting(application: Application | None) -> Mapping[str, Any] | None:
    """The engine arguments for an application's database; None: the URL is enough."""
    return application.connecting if application else None


def _check_greenlets(application: Application) -> None:
    """Raise UsageError if users, which are greenlets, would share sessions."""
    if not monkey.is_module_patched("threading"):
        raise UsageError("gevent must patch this process: unset LOCUST_SKIP_MONKEY_PATCH")
    scope = getattr(application.parent.registry, "scopefunc", None)
    if scope is not None:
        _check_scope(application.name, scope)
    elif not isinstance(session_storage(application.parent), gevent.local.local):
        raise UsageError(
            f"{application.name} was created before gevent had patched threads, so all users would "
            "share one session: import locust first"
        )


def _check_scope(name: str, scope: Callable[[], Any]) -> None:
    """Raise UsageError if a custom scopefunc does not distinguish two concurrent users."""
    both_asked = Event()

    def ask() -> tuple[Any, Exception | None]:
        try:
            return scope(), None
        except Exception as error:
            return None, error
        finally:
            both_asked.wait()

    users = [gevent.spawn(ask) for _ in range(2)]
    gevent.sleep(0)
    both_asked.set()
    (one, error), (other, _) = (user.get() for user in users)
    if error is not None or one == other:
        fault = f"fails: {error}" if error else "returns the same value for all users"
        raise UsageError(
            f"{name}: the scopefunc of its scoped_session {fault}. Remove it, so that every user "
            "has its own session, or name the engine with --engine"
        )
