"""The databases of a run that drives an application, which alone uses its own."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from loadtest.database.preflight.server_probe import ServerFacts
from loadtest.database.preflight.situation import Demand
from loadtest.database.server_status import ServerStatus
from loadtest.load.setup.database_setup import DatabaseSetup
from loadtest.load.setup.unpatched import run_unpatched
from loadtest.load.users.pool_user import PoolUser
from loadtest.load.users.user_levels import most_pool_users, pool_users
from loadtest.model.errors import UsageError
from loadtest.model.pool import PoolConfig


def database_of(environment: Any) -> DatabaseSetup:
    """The database of the users of this process; one without an address if they have none."""
    if not environment.parsed_options.driving:
        return DatabaseSetup(environment)
    beside = pool_users(environment.user_classes)
    return DatabaseBeside(environment) if beside else DrivenDatabase(environment)


def pool_beside(connections: int) -> PoolConfig:
    """The pool of PoolUsers beside users that drive an application, a connection for each."""
    return PoolConfig(name="beside", pool_size=max(1, connections), max_overflow=0)


class DatabaseBeside(DatabaseSetup):
    """The database of PoolUsers beside users that drive an application."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._classes = environment.user_classes

    def find(self) -> None:
        """Connect to the database. Raises UsageError, also if there is none."""
        if not self.options.database_url:
            names = ", ".join(cls.__name__ for cls in self._classes if issubclass(cls, PoolUser))
            raise UsageError(
                f"{names}: beside users that send requests to an application, a PoolUser needs a "
                "database: give --database-url"
            )
        super().find()

    def demand(self, options: Namespace, pool: PoolConfig, users: int, processes: int) -> Demand:
        """The demand of the PoolUsers; the pool under test is the application's."""
        # Locust may give all of them to one process.
        all_of_them = most_pool_users(self._classes, users * processes)
        most = min(users, all_of_them)
        own = pool_beside(most * self.allowed.per_user)
        return super().demand(options, own, most, processes)


class DrivenDatabase(DatabaseSetup):
    """A database of which this process reads the server's status, if it has its URL."""

    @property
    def facts(self) -> ServerFacts:
        """The server's version and variables, read once; empty without a URL."""
        return super().facts if self.options.database_url else ServerFacts("", {}, tls=False)

    @property
    def foreign(self) -> bool:
        """False: this process opens no pool on the server, and makes no tables there."""
        return False

    def find(self) -> None:
        """Do nothing."""

    def prepare(self) -> ServerStatus | None:
        """The reader of the server's status; None without a URL."""
        if not self.options.database_url:
            return None
        self.status = ServerStatus(self.url, tls=self.facts.tls)
        run_unpatched(self.status.open)()
        return self.status

    def announce(self, pool: PoolConfig, users: int, processes: int) -> Demand:
        """The demand of the run, which needs no connections of this process."""
        return self.demand(self.options, pool, users, processes)
