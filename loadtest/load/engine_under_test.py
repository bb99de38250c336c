"""The engine under test with its sessions and its recorder, as one run uses them."""

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
from loadtest.load.options.pool_options import pool_config
from loadtest.load.users.arrivals import schedule
from loadtest.load.users.precise_timer import new_precise_timer
from loadtest.model.pool import PoolConfig
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder

logger = logging.getLogger("loadtest")
# What users say of their own sums, in this order.
SUMS = ("checked", "lost", "doubled")
# What counts the connections that were wanted beyond the ceiling.
BEYOND_ANNOUNCED_KIND = "beyond_announced"
CONNECTING_AT_ONCE = 50


class EngineUnderTest:
    """An engine with a pool of this configuration, measured, and the parent session on it.

    options: the run's options as they were when it started. index: which worker this is.
    ceiling: gives how many connections this process may have, None without a limit.
    application: whose engine and sessions it uses instead. shared: whether its code has the parent.
    child: makes a session, with child_arguments, as the parent does. arrivals: the schedule of an
    open loop, and alarm: who wakes its users; None in a closed one. sums: what users found when
    they checked their own transactions, SUMS of each.
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
            application.install(pool_config(options))
        self.engine = application.engine if application else make_engine(url, pool, tls=tls)
        self._initialise(url, application)
        self.recorder = Recorder(process)
        self.recorder.ceiling = ceiling
        self.recorder.rising[BEYOND_ANNOUNCED_KIND] = lambda: self.recorder.beyond
        measure(self.engine, self.recorder)
        # Users that are threads may be waiting for an answer when their connections are closed.
        self._killer = None if is_module_patched("threading") else ConnectionKiller(self.engine)
        self.parent = application.parent if application else parent_session(self.engine)
        self.child, self.child_arguments = _maker(self.parent.session_factory)
        if options.prefill:
            with _explained(url, application):
                self._prefill(pool.kept_connections or 0)
        self.arrivals = schedule(options, index)
        self.alarm = new_precise_timer() if self.arrivals else None
        if self.arrivals:
            self.recorder.open_loop = True
            self.recorder.rising["arrivals"] = self.arrivals.arrived
            self.recorder.rising["dropped"] = self.arrivals.dropped
        self.sums: list[tuple[int, ...]] = []
        for column, name in enumerate(SUMS):
            self.recorder.rising[f"sums.{name}"] = partial(self._sum, column)
        self._seeds = (f"{options.seed}-{index}-{number}" for number in count())

    def _sum(self, column: int) -> int:
        return sum(row[column] for row in self.sums)

    def _initialise(self, url: URL, application: Application | None) -> None:
        # The first connection of an engine asks the server about itself; every pool starts after.
        with _explained(url, application), self.engine.connect():
            pass
        self.engine.dispose()

    def _prefill(self, number: int) -> None:
        """Open so many connections, some at a time, and return them."""
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
        """How many connections are in use, by the pool's own count (0 where it keeps none)."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def cut_off(self) -> None:
        """Close the connections that somebody still has, as the end of this process would."""
        owners = list(self.recorder.opened)
        found: list[Any] = [getattr(owner, "dbapi_connection", owner) for owner in owners]
        connections = [connection for connection in found if connection is not None]
        if self._killer:
            self._killer.kill(connections)
            return
        for connection in connections:
            try:
                self.engine.dialect.do_terminate(connection)
            except Exception as error:  # of a driver that does not like it
                logger.debug("a connection could not be closed: %s", error)

    def close(self) -> None:
        """Close the connections that are not in use, and wake nobody any more."""
        self.engine.dispose()
        if self.alarm:
            self.alarm.close()


@contextmanager
def _explained(url: URL, application: Application | None) -> Iterator[None]:
    """What fails here is told as whoever starts a run can understand it."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        how = hint_without_database(application.connecting if application else None)
        raise connection_error(error, url, how) from None


def _maker(factory: Callable[[], Session]) -> tuple[Callable[..., Session], dict[str, Any]]:
    """What makes a session as this factory does, and with which arguments.

    A sessionmaker goes through its arguments, which `configure` may still change, for each session;
    its class can be called with them as they are.
    """
    if type(factory) is sessionmaker:
        return factory.class_, factory.kw
    return factory, {}
