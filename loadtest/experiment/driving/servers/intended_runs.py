"""What is intended with an application: its load, its connections, and the servers it may reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import URL

from loadtest.database.preflight.announcement import database_place
from loadtest.database.preflight.situation import Demand, Situation
from loadtest.database.redaction import without_passwords
from loadtest.experiment.databases import work_in_words
from loadtest.experiment.driving.look import ApplicationFacts
from loadtest.experiment.driving.servers.driven_server import DrivenServer
from loadtest.experiment.driving.servers.engine_servers import (
    KnownServer,
    ServerRules,
    refuse_unless_reached,
)
from loadtest.experiment.driving.servers.other_engines import (
    most_of_engine,
    of_server,
    other_servers,
)
from loadtest.experiment.driving.servers.search_room import fitted
from loadtest.experiment.run_demand import demand_of
from loadtest.experiment.single_run import Database
from loadtest.model.allowances import Allowances
from loadtest.model.experiment import Experiment
from loadtest.runfile.folders import as_typed


@dataclass(frozen=True)
class IntendedRuns:
    """What is intended with the application of an experiment.

    runs: the maximum number of runs. tried: whether each task is tried once before them.
    searching: whether the last pool is the largest one of a search.
    """

    experiment: Experiment
    allowed: Allowances
    runs: int
    tried: bool
    searching: bool = False

    @property
    def writes(self) -> str:
        """What is written, as the end of a sentence."""
        scenario, prepared = as_typed(self.experiment.scenario), self.prepares
        first = f"{prepared}, and " if prepared else ""
        return f"{first}send requests of {scenario}, which write to the application's own tables"

    @property
    def prepares(self) -> str:
        """The command that prepares the application, as the end of a sentence; empty without."""
        (application,) = self.experiment.application
        command = without_passwords(application.prepare)
        return f"run {command!r} before each start of the application" if command else ""

    def preparation(self, url: URL) -> Iterator[str]:
        """The announcement of what happens to a server before the application is looked at."""
        if self.prepares:
            place = database_place(url)
            yield (
                f"In the database {place}, on a server that this tool did not start, loadtest will "
                f"{self.prepares}"
            )

    @property
    def permitted(self) -> bool:
        """Whether a server may get load that the tool cannot watch."""
        return self.allowed.overload and self.allowed.trouble

    def work(self, facts: ApplicationFacts) -> str:
        """The work in words."""
        return work_in_words(self.experiment, self.runs, self.tried, beside=facts.seconds)

    def sentence(self, facts: ApplicationFacts) -> str:
        """The announcement without a server."""
        return f"loadtest will {self.writes}, and run {self.work(facts)}"

    def demand(self, facts: ApplicationFacts, server: KnownServer | None) -> Demand:
        """The demand of the application's processes together, each with all users of the load.

        server: the one that the demand is for.
        """
        own = facts.engine.own_settings if facts.engine else None
        demand = demand_of(self.experiment, self.allowed, own)
        processes = max(1, facts.processes, *self.experiment.processes)
        users = demand.users * demand.per_user
        others = [most_of_engine(engine, users) for engine in of_server(facts, server).others]
        return replace(demand, processes=processes, other_engines=processes * sum(others))

    def fitted(self, now: Situation) -> tuple[Situation, dict[int, int]]:
        """The same situation with pools that have room, and the largest pools of a search."""
        return fitted(self.experiment, now) if self.searching else (now, {})

    def database(
        self,
        url: URL | None,
        driven: DrivenServer,
        server: KnownServer | None,
        facts: ApplicationFacts,
        *lines: str,
        warnings: tuple[str, ...] = (),
    ) -> Database:
        """A database that the tool did not start; server: the one of the meant engine, if known."""
        database = Database(url, False, None, self.allowed, warnings, lines, driven=driven)
        return self.with_rules(database, server, facts)

    def with_rules(
        self, database: Database, server: KnownServer | None, facts: ApplicationFacts
    ) -> Database:
        """A database with rules for all engines, and with the servers of those not under test.

        Raises UsageError if the server of an engine has no room, or is not known.
        """
        permitted, driven = self.permitted, database.driven
        demand = self.demand(facts, server)
        others = other_servers(facts, server, demand, permitted=permitted)
        known = [one for one in (server, *others.servers) if one]
        expected = server if driven.url is not None else None
        rules = ServerRules(known, facts.seen, expected, database.private, permitted)
        if facts.engine and expected:
            reached = facts.reached_by(facts.engine)
            rules.check(facts.engine, reached, True)
            if not permitted:
                refuse_unless_reached(facts.engine, reached, expected)
        return replace(
            database,
            warnings=(*database.warnings, *others.warnings),
            intentions=(*database.intentions, *others.lines),
            driven=replace(driven, check_engine=rules.check),
        )
