"""The engine under test of one run, with its sessions and its recorder."""

from __future__ import annotations

import logging
import random
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from typing import Any

from gevent.monkey import is_module_patched
from sqlalchemy import URL, QueuePool
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from loadtest.database.application import Application
from loadtest.database.connection_errors import connection_error, hint_without_database
from loadtest.database.drivers import ConnectionKiller
from loadtest.database.engine import make_engine, parent_session
from loadtest.database.probing import session_variables
from loadtest.load.users.arrivals import schedule
from loadtest.load.users.precise_timer import new_precise_timer
from loadtest.load.users.request_names import RequestNames
from loadtest.model.announced_connections import BEYOND_ANNOUNCED_KIND
from loadtest.model.pool import PoolConfig
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder

logger = logging.getLogger("loadtest")
# The columns of the users' own checks.
SUMS = ("checked", "lost", "doubled")
CONNECTING_AT_ONCE = 50


class EngineUnderTest:
    """An engine with a pool of this configuration, measured, and the parent session on it.

    options: the run's options at its start. index: the number of this worker.
    ceiling: returns the limit of connections of this process; None without a limit.
    application: the application whose engine and sessions are used, if any. shared: whether its
    code uses the parent session, too. child: creates a session, with child_arguments, as the parent
    does. arrivals: the schedule of an open loop, and alarm: the timer that wakes its users; None in
    a closed loop. sums: the results of the users' own checks, SUMS of each. request_names: the new
    names of requests whose name several scenarios have.
    Raises UsageError if the database cannot be used.
    """

    def __init__(
        self,
        url: URL,
        pool: PoolConfig,
        options: Namespace,
        *,
        tls: bool,
        process: str,
        index: int = 0,
        ceiling: Callable[[], int] | None = None,
        application: Application | None = None,
    ) -> None:
        self.pool = pool
        self.options = options
        self.shared = application is not None and application.shared
        if application:
            application.install(pool)
        self.engine = application.engine if application else make_engine(url, pool, tls=tls)
        session = self._initialise(url, application)
        self.recorder = Recorder(process)
        self.recorder.wait_timeout = float(session.get("wait_timeout", "inf"))
        self.recorder.ceiling = ceiling
        self.recorder.rising[BEYOND_ANNOUNCED_KIND] = lambda: self.recorder.beyond
        measure(self.engine, self.recorder)
        # Threads may still wait for an answer when their connections are closed.
        self._killer = None if is_module_patched("threading") else ConnectionKiller(self.engine)
        self.parent = application.parent if application else parent_session(self.engine)
        self.child, self.child_arguments = _maker(self.parent.session_factory)
        if options.prefill:
            with _explained(url, application):
                self._prefill(pool.kept_connections or 0)
        self.arrivals = schedule(options, index)
        self.alarm = new_precise_timer() if self.arrivals else None
        if self.arrivals:
            self.arrivals.count_in(self.recorder)
        self.sums: list[tuple[int, ...]] = []
        self.request_names: RequestNames = {}
        for column, name in enumerate(SUMS):
            self.recorder.rising[f"sums.{name}"] = partial(self._sum, column)
        self._seeds = (f"{options.seed}-{index}-{number}" for number in count())

    def _sum(self, column: int) -> int:
        return sum(row[column] for row in self.sums)

    def _initialise(self, url: URL, application: Application | None) -> dict[str, str]:
        """The variables of a session of this engine."""
        # The first connection of an engine queries the server's settings: open it beforehand.
        with _explained(url, application), self.engine.connect() as connection:
            variables = session_variables(connection)
        self.engine.dispose()
        return variables

    def _prefill(self, number: int) -> None:
        """Open a number of connections, some at a time, and return them."""
        with ThreadPoolExecutor(CONNECTING_AT_ONCE) as workers, ExitStack() as taken:
            asked = [workers.submit(self.engine.connect) for _ in range(number)]
            for connection in asked:
                taken.enter_context(connection.result())

    def start(self) -> None:
        """Forget what was recorded so far; the first interval and the schedule begin now."""
        self.recorder.restart()
        if self.arrivals:
            self.arrivals.start()

    def new_random(self) -> random.Random:
        """Random numbers for the next user: the same in every run with this seed."""
        return random.Random(next(self._seeds))

    def checked_out(self) -> int:
        """The connections in use by the pool's own count (0 if it does not count)."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def cut_off(self) -> None:
        """Close the connections that are still in use, as the end of this process would."""
        owners = list(self.recorder.opened)
        found: list[Any] = [getattr(owner, "dbapi_connection", owner) for owner in owners]
        connections = [connection for connection in found if connection is not None]
        if self._killer:
            self._killer.kill(connections)
            return
        for connection in connections:
            try:
                self.engine.dialect.do_terminate(connection)
            except Exception as error:  # drivers raise errors of any class
                logger.debug("a connection could not be closed: %s", error)

    def close(self) -> None:
        """Close the idle connections, and stop the timer."""
        self.engine.dispose()
        if self.alarm:
            self.alarm.close()


@contextmanager
def _explained(url: URL, application: Application | None) -> Iterator[None]:
    """Raise a database error with an explanation and a hint."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        how = hint_without_database(application.connecting if application else None)
        raise connection_error(error, url, how) from None


def _maker(factory: Callable[[], Session]) -> tuple[Callable[..., Session], dict[str, Any]]:
    """The function that creates a session as this factory does, and its arguments.

    A sessionmaker copies its arguments for each session; calling its class directly is quicker.
    """
    if type(factory) is sessionmaker:
        return factory.class_, factory.kw
    return factory, {}
