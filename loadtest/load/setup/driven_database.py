"""The database of a run that drives an application, which alone knows and uses it."""

from __future__ import annotations

from loadtest.database.preflight.server_probe import ServerFacts
from loadtest.database.preflight.situation import Demand
from loadtest.load.setup.database_setup import DatabaseSetup
from loadtest.model.pool import PoolConfig


class DrivenDatabase(DatabaseSetup):
    """A database that this process does not connect to: it has neither a URL nor a status here."""

    @property
    def facts(self) -> ServerFacts:
        """Nothing is known about the server."""
        return ServerFacts("", {}, tls=False)

    @property
    def foreign(self) -> bool:
        """False: this process uses no server that others may use."""
        return False

    def find(self) -> None:
        """Do nothing."""

    def prepare(self) -> None:
        """Do nothing; there is no status to read."""

    def announce(self, pool: PoolConfig, users: int, processes: int) -> Demand:
        """The demand of the run, which needs no connections of this process."""
        return self.demand(self.options, pool, users, processes)
