"""The database of a Locust process: found or started, and cleaned up at the end."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from gevent.lock import RLock
from sqlalchemy import URL

from loadtest.database.application import Application, NeedsDatabase
from loadtest.database.engine import database_url
from loadtest.database.preflight import server_probe
from loadtest.database.preflight.announcement import (
    connections_now,
    database_place,
    intentions,
    load_in_words,
    situation,
)
from loadtest.database.preflight.checks import refuse_errors, run_checks, warning_texts
from loadtest.database.preflight.occupancy import Occupancy
from loadtest.database.preflight.situation import Demand, PreflightCheck
from loadtest.database.private_server import PrivateServer, has_private_account
from loadtest.database.server_program import refuse_beside_database
from loadtest.database.server_status import ServerStatus
from loadtest.load.options import run_options
from loadtest.load.options.pool_options import settle_pool
from loadtest.load.setup.application_pool import connecting, load_application
from loadtest.load.setup.driver_probe import probe_driver
from loadtest.load.setup.scenario_tables import drop_tables, names_of, prepare_tables
from loadtest.load.setup.unpatched import run_unpatched
from loadtest.model.allowances import Allowances
from loadtest.model.errors import LoadtestError
from loadtest.model.load import THREADS, highest_level
from loadtest.model.pool import PoolConfig

logger = logging.getLogger("loadtest")


class DatabaseSetup:
    """The database of one Locust process, from its start to its end.

    application: the application under test, if any. server: the private server that this process
    started. status: reads its status during a run, and holds the claim on the tables.
    """

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self.application: Application | None = None
        self.server: PrivateServer | None = None
        self._facts: server_probe.ServerFacts | None = None
        self.status: ServerStatus | None = None
        self._session: dict[str, str] = {}
        self._prepared = False
        self._closing = RLock()

    @property
    def options(self) -> Namespace:
        """Locust's current options."""
        return cast(Namespace, self._environment.parsed_options)

    @property
    def url(self) -> URL:
        """The address of the database."""
        own = self.application
        return own.url if own else database_url(self.options.database_url)

    @property
    def connecting(self) -> Mapping[str, Any] | None:
        """The engine arguments for this database; None: the URL is enough."""
        return connecting(self.application)

    @property
    def facts(self) -> server_probe.ServerFacts:
        """The server's version and variables, read once."""
        if self._facts is None:
            self._facts = server_probe.probe_server(self.url, self.connecting)
        return self._facts

    @property
    def foreign(self) -> bool:
        """Whether others may use the server: the tool did not start it."""
        return not (self.options.private_server and has_private_account(self.url))

    @property
    def allowed(self) -> Allowances:
        """The allowances for this server."""
        said = self.options
        return Allowances(
            said.allow_overload, said.no_abort, said.keep_tables, said.connections_per_user
        )

    @property
    def made(self) -> bool:
        """Whether this process must drop tables on a server that it did not start."""
        return self._prepared and self.foreign and not self.allowed.tables

    def load_application(self) -> None:
        """Import the application that the options name, if any; workers learn the options late.

        An application that reads the address of its database is imported when there is one.
        """
        try:
            self.application = self.application or load_application(self._environment)
        except NeedsDatabase as error:
            logger.info("%s", error)

    def find(self) -> None:
        """Connect to the database, or start a private one. Raises UsageError, LoadtestError."""
        given = bool(self.application or self.options.database_url)
        refuse_beside_database(bool(self.options.server and self.foreign), given)
        if not given:
            logger.info("No --database-url given: starting a private server")
            self.server = PrivateServer(server=self.options.server)
            # Options reach the workers; the web UI does not show this one.
            self.options.private_server = True
            self.options.database_url = self.server.url.render_as_string(hide_password=False)
            logger.info("%s, on 127.0.0.1:%d", self.server.ready, self.server.port)
            self.load_application()
        facts = self.facts
        if self.application:
            settle_pool(self.options, self.application.settings)
            self._session = self.application.session_variables()
            self._facts = replace(facts, variables={**facts.variables, **self._session})

    def prepare(self) -> ServerStatus | None:
        """Recreate the scenario's tables; returns the reader of the server's status, if any.

        Raises UsageError if the run cannot begin.
        """
        # A private server has no other user.
        claimed = self._tables() if self.foreign else []
        tls = self.facts.tls
        self.status = ServerStatus(self.url, self.connecting, tls=tls, tables=claimed)
        run_unpatched(self.status.open)()
        self._prepared = True
        try:
            classes = self._environment.user_classes
            how, private = self.connecting, not self.foreign
            prepare_tables(self.url, classes, self.options, how, private=private)
        except BaseException:
            self.status.close()
            raise
        return self.status

    def _tables(self) -> list[str]:
        return names_of(self._environment.user_classes, private=not self.foreign)

    def announce(self, pool: PoolConfig, users: int, processes: int) -> Demand:
        """Check everything and announce the run; users: per process.

        Raises UsageError if the run cannot begin.
        """
        demand = self.demand(self.options, pool, users, processes)
        checks, server = self.check(demand)
        if self.application:
            greenlets = getattr(self._environment.runner, "model", "") != THREADS
            checks += probe_driver(self.application, greenlets=greenlets)
        for warning in warning_texts(checks):
            logger.warning("%s", warning)
        if self.foreign:
            work, allowed = self._work(users * processes, demand), self.allowed
            place = database_place(self.url)
            in_use = connections_now(server)
            for line in intentions(place, demand, work, self._tables(), allowed, in_use):
                logger.info("%s", line)
        return demand

    def check(self, demand: Demand) -> tuple[list[PreflightCheck], Occupancy]:
        """The checks before such a run; raises UsageError if the server has no room for it."""
        if self.server:
            self.server.check(demand.most)
        private, how = not self.foreign, self.connecting
        now = situation(self.url, demand, private=private, connecting=how, session=self._session)
        checks = run_checks(now)
        refuse_errors(checks)
        return checks, now.server

    def demand(self, options: Namespace, pool: PoolConfig, users: int, processes: int) -> Demand:
        """The demand of a run with these options; users: per process."""
        stages = run_options.stages_of(options)
        staged = stages and stages[0].users is None
        rate = highest_level(stages) if staged else options.arrival_rate
        return Demand(
            (pool,),
            users,
            processes,
            None if self._environment.shape_class else options.run_time,
            rate or None,
            self.allowed.overload,
            prefill=options.prefill,
            per_user=self.allowed.per_user,
        )

    def _work(self, users: int, demand: Demand) -> str:
        names = ", ".join(cls.__name__ for cls in self._environment.user_classes)
        shape = self._environment.shape_class
        lasts = f"for {demand.seconds} s" if demand.seconds else "until you stop it"
        lasts = f"until {type(shape).__name__}, its LoadTestShape, ends" if shape else lasts
        return f"{names} with {load_in_words(users, demand.arrival_rate)}, {lasts}"

    def close(self) -> None:
        """Drop the tables, unless they are to be kept, and stop the private server."""
        with self._closing:  # after a signal Locust quits twice: the second waits for the first
            if self.status:
                self.status.close()
            if self.made:
                self._drop()
            self._prepared = False
            if self.server:
                self.server.close()
                self.server = None

    def _drop(self) -> None:
        classes = self._environment.user_classes
        try:
            drop_tables(self.url, classes, self.connecting)
        except LoadtestError as error:
            names = ", ".join(self._tables())
            logger.warning("These tables could not be dropped: %s (%s)", names, error)
