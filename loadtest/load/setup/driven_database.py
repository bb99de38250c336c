"""The database of a run that drives an application, which alone uses it."""

from __future__ import annotations

from loadtest.database.preflight.server_probe import ServerFacts
from loadtest.database.preflight.situation import Demand
from loadtest.database.server_status import ServerStatus
from loadtest.load.setup.database_setup import DatabaseSetup
from loadtest.load.setup.unpatched import run_unpatched
from loadtest.model.pool import PoolConfig


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
