"""Enforces the announced limits of a run on a server that the tool did not start."""

from __future__ import annotations

from locust.runners import MasterRunner

import logging
import math
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Any, cast

import gevent

from loadtest.database.server_status import ServerStatus
from loadtest.load import locust_internals as internals
from loadtest.load.options import run_options
from loadtest.load.options.form_check import check_form
from loadtest.load.setup.application_pool import measured_pool
from loadtest.load.setup.database_setup import DatabaseSetup
from loadtest.model.errors import LoadtestError, MoreThanAnnounced, UsageError
from loadtest.model.pool import PoolConfig

logger = logging.getLogger("loadtest")
# The pause before workers that came during a run may join the next one.
LATE_CONNECT_SECONDS = 1.0


class AnnouncedLimits:
    """The users, processes and connections of a run, and the refusal of more.

    Nothing is refused on a private server, which has no other users.
    refuse: ends a run that cannot begin or go on.
    """

    def __init__(
        self, environment: Any, database: DatabaseSetup, refuse: Callable[[LoadtestError], None]
    ) -> None:
        self._environment, self._database, self._refuse = environment, database, refuse
        # Of all processes together; no users while no run is announced.
        self._users = self._connections = 0
        self._processes = 0
        self._counted: set[str] | None = None
        self._late: dict[str, Any] = {}
        self._hear_again: Callable[..., None] | None = None

    @property
    def _options(self) -> Namespace:
        return cast(Namespace, self._environment.parsed_options)

    @property
    def _present(self) -> int:
        """The number of processes that can run users now."""
        return max(1, internals.processes(self._environment.runner))

    @property
    def _shape(self) -> str:
        shape = self._environment.shape_class
        return type(shape).__name__ if shape else ""

    def enforce(self) -> None:
        """From now on, refuse users and workers above the announced number, whatever starts them.

        The command line, the web UI, a shape, stages and keys in a terminal start users; all of
        them call the runner's `start`.
        """
        runner = self._environment.runner
        internals.intercept_starts(runner, self._start)
        if isinstance(runner, MasterRunner):
            self._hear_again = internals.intercept_messages(runner, self._hear)

    def prepare(self, pool: PoolConfig) -> ServerStatus | None:
        """Announce a run with the processes that are expected, and make its tables."""
        runner, options = self._environment.runner, self._options
        # When a headless run prepares, no expected worker has connected yet.
        distributed = isinstance(runner, MasterRunner)
        expected = (options.processes or 0, options.expect_workers) if distributed else (1,)
        self._announce(pool, max(self._present, *expected))
        return self._database.prepare()

    def begin(self, pool: PoolConfig, status: ServerStatus | None) -> ServerStatus | None:
        """Begin a run with the present processes; no other process can join.

        status: the result of `prepare`, if it was called. Raises LoadtestError if the run cannot
        begin.
        """
        runner = self._environment.runner
        if status is None:
            self._announce(pool, self._present)
            status = self._database.prepare()
        if isinstance(runner, MasterRunner) and self._database.foreign:
            self._counted = internals.workers(runner, "all") - internals.workers(runner, "missing")
        if self._present != self._processes:  # more or fewer than expected
            self._announce(pool, self._present)
        asked = internals.target_users(runner)
        if self._users and asked > self._users:
            raise self._beyond(asked)
        return status

    def lift(self) -> None:
        """End the run: forget its limits, and let the waiting workers in."""
        self._users, self._counted = 0, None
        late, self._late = self._late, {}
        for client_id, msg in late.items():
            # If this process is about to end, these workers must not be ended before they began.
            gevent.spawn_later(LATE_CONNECT_SECONDS, self._hear_again, client_id, msg)

    def of_process(self) -> int:
        """The limit of connections of this process; it changes when a worker is lost."""
        return cast(int, self._options.most_connections)

    def check_form(self, form: Mapping[str, str], added: run_options.Added) -> None:
        """Raise UsageError with the mistakes in a start form, or if it exceeds the limits."""
        wanted = check_form(self._options, form, added)
        try:
            users = int(form.get("user_count", ""))
        except ValueError:
            return  # Locust answers this
        if self._shape:
            return
        if self._users:
            if users > self._users:
                raise UsageError(str(self._beyond(users)))
        elif not self._environment.runner.user_count:
            if users < 1:
                raise UsageError("user_count: a run needs at least one user")
            self._check_room(wanted, users)

    def _check_room(self, wanted: Namespace, users: int) -> None:
        users = max(users, run_options.most_users(wanted) or 0)
        each = math.ceil(users / self._present)
        pool = measured_pool(wanted, self._database.application)
        self._database.check(self._database.demand(wanted, pool, each, self._present))

    def _announce(self, pool: PoolConfig, processes: int) -> None:
        users = math.ceil(self._most_users() / processes)
        demand = self._database.announce(pool, users, processes)
        self._processes = processes
        self._users = users * processes if self._database.foreign else 0
        self._connections = demand.most
        # Options reach the workers.
        self._options.most_connections = demand.of_process(demand.pools[0])

    def _most_users(self) -> int:
        """The most users of all processes together.

        Raises UsageError if a shape sets the number, and --users does not limit it.
        """
        options, asked = self._options, internals.target_users(self._environment.runner)
        if not (self._shape and self._database.foreign):
            most = asked or options.num_users or 1
            return int(max(most, run_options.most_users(options) or 0))
        if not options.num_users:
            raise UsageError(
                f"{self._shape} (a LoadTestShape) sets the number of users, and others may use "
                "this server: give the largest number of users as --users"
            )
        return int(options.num_users)

    def _beyond(self, users: int) -> MoreThanAnnounced:
        said = f"{users:,} users, but {self._users:,} were announced"
        if self._shape:
            return MoreThanAnnounced(f"{self._shape} asks for {said}: give --users {users}")
        return MoreThanAnnounced(f"{said}: stop this run and start one with more users")

    def _start(
        self,
        start: Callable[..., None],
        user_count: int,
        spawn_rate: float,
        *more: Any,
        **named: Any,
    ) -> None:
        """The runner's `start`, which refuses users above the announced number."""
        if not self._users or user_count <= self._users:
            self._share_out()
            start(user_count, spawn_rate, *more, **named)
        elif self._shape:
            self._refuse(self._beyond(user_count))
        else:
            logger.warning("Refused: %s", self._beyond(user_count))

    def _share_out(self) -> None:
        """Divide the announced connections among the remaining workers, as Locust divides users.

        A missing worker may still hold its connections. It ends after 60 s without its master,
        and only then does the master forget it.
        """
        if self._counted:
            left = self._counted & internals.workers(self._environment.runner, "all")
            self._options.most_connections = self._connections // max(1, len(left))

    def _hear(self, hear: Callable[..., None], client_id: str, msg: Any) -> None:
        """The master's handler; a worker that comes during a run waits until the run is over.

        A worker that was missing when the run began stays missing, even if it answers again.
        """
        late = self._counted is not None and client_id not in self._counted
        if not (late and msg.type in ("client_ready", "heartbeat")):
            hear(client_id, msg)
            return
        if client_id not in self._late:
            logger.warning(
                "Worker %s must wait for the next run: this run was announced for %d processes",
                client_id,
                self._processes,
            )
        self._late[client_id] = msg
