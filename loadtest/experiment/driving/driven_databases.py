"""The databases of driven applications: a private server, the given one, or their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import URL

from loadtest.database.engine import DRIVER
from loadtest.database.preflight import server_probe
from loadtest.database.preflight.announcement import (
    connections_now,
    database_place,
    intentions,
    situation,
)
from loadtest.database.preflight.situation import Demand
from loadtest.database.private_server import PrivateServer
from loadtest.database.server_program import refuse_beside_database
from loadtest.experiment.databases import checked, demand_of, work_in_words
from loadtest.experiment.driving.driven_run import naming_application
from loadtest.experiment.driving.driven_server import DrivenServer
from loadtest.experiment.driving.look import ApplicationFacts, look_at
from loadtest.experiment.driving.server_address import (
    address_in_words,
    given_url,
    refuse_other_server,
)
from loadtest.experiment.driving.told_engines import ToldEngine
from loadtest.experiment.faults.fault_address import fault_address
from loadtest.experiment.faults.schedule import FaultSchedule, refuse_without_private_server
from loadtest.experiment.single_run import Database, Databases
from loadtest.model.allowances import Allowances
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.runfile.folders import as_typed

_MYSQL = ("mysql", "mariadb")
_WITHOUT_SERVER = "sqlite"


@dataclass(frozen=True)
class _Intended:
    """What is intended with the application of an experiment.

    runs: the maximum number of runs. tried: whether each task is tried once before them.
    """

    experiment: Experiment
    allowed: Allowances
    runs: int
    tried: bool

    @property
    def writes(self) -> str:
        """What is written, as the end of a sentence."""
        scenario = as_typed(self.experiment.scenario)
        return f"send requests of {scenario}, which write to the application's own tables"

    def work(self, facts: ApplicationFacts) -> str:
        """The work in words."""
        return work_in_words(self.experiment, self.runs, self.tried, beside=facts.seconds)

    def sentence(self, facts: ApplicationFacts) -> str:
        """The announcement without a server."""
        return f"loadtest will {self.writes}, and run {self.work(facts)}"

    def demand(self, facts: ApplicationFacts) -> Demand:
        """The demand of the application's processes together, each with all users of the load."""
        own = facts.engine.own_settings if facts.engine else None
        demand = demand_of(self.experiment, self.allowed, own)
        processes, users = max(1, facts.processes), demand.users * demand.per_user
        others = [engine.most_connections(users) for engine in facts.others]
        return replace(demand, processes=processes, other_engines=processes * sum(others))

    def database(
        self, url: URL | None, driven: DrivenServer, *lines: str, warnings: tuple[str, ...] = ()
    ) -> Database:
        """A database that the tool did not start."""
        return Database(url, False, None, self.allowed, warnings, lines, driven=driven)


@contextmanager
def driven_databases(
    given: str, experiment: Experiment, allowed: Allowances, runs: int, *, tried: bool = False
) -> Iterator[Databases]:
    """The database of each application that an experiment drives; each is started once to see it.

    Applications that need a private server share one.

    given: the URL of the user's own server, for `{database_url}`; otherwise for PoolUsers beside
    the users of the application, and for looking. runs: the maximum number of runs; tried: whether
    each task is tried once before them.
    Raises UsageError if the application or its server cannot be used.
    """
    most = demand_of(experiment, allowed).most
    server_probe.raise_open_files_limit(most)
    needed = any(one.needs_database for one in experiment.application)
    (program,) = experiment.servers
    refuse_beside_database(bool(experiment.server), bool(needed and given))
    with ExitStack() as stack:
        private = needed and not given
        server = stack.enter_context(PrivateServer(most, program)) if private else None
        parts, found = experiment.by_application, dict[str, Database]()
        for name, one in parts.items():
            intended = _Intended(one, allowed, runs // len(parts), tried)
            with naming_application(name if len(parts) > 1 else ""):
                found[name or program] = _database(given, server, intended, stack)
        yield found


def _database(
    given: str, server: PrivateServer | None, intended: _Intended, stack: ExitStack
) -> Database:
    """The database of the only application.

    server: the private one, if it was started. stack: ends the relays of faults.
    """
    (application,) = intended.experiment.application
    if not application.needs_database:
        return _found(given, intended, stack)
    url = server.url if server else given_url(given)
    schedule = FaultSchedule(intended.experiment.fault, url, server, driven=True)
    faults = stack.enter_context(closing(schedule))
    if server:
        return _private(server, faults, intended)
    known = DrivenServer(url, relay=faults.relay)
    found = _foreign(url, known, look_at(intended.experiment, known), intended)
    return replace(found, faults=faults)


def _found(given: str, intended: _Intended, stack: ExitStack) -> Database:
    """The database that the application finds without this tool, with the faults in front of it."""
    faults = intended.experiment.fault
    refuse_without_private_server(faults, "put {database_url} into --app-env to have one started")
    other = given_url(given) if given else None
    facts = look_at(intended.experiment, DrivenServer())
    database = _own(other, facts, intended)
    if not faults:
        return database
    address = fault_address(faults, facts.engine, other)
    schedule = stack.enter_context(closing(FaultSchedule(faults, address, None, driven=True)))
    driven = replace(database.driven, relay=schedule.relay)
    return replace(database, faults=schedule, driven=driven)


def _private(server: PrivateServer, faults: FaultSchedule, intended: _Intended) -> Database:
    known = DrivenServer(server.url, private=True, relay=faults.relay)
    facts = look_at(intended.experiment, known)
    return Database(
        server.url,
        True,
        faults,
        intended.allowed,
        checked(situation(server.url, intended.demand(facts), private=True)),
        ready=server.ready,
        running=lambda: server.running,
        last_error=lambda: server.last_error,
        driven=replace(known, seconds=facts.seconds),
    )


def _own(other: URL | None, facts: ApplicationFacts, intended: _Intended) -> Database:
    """The database that the application finds without this tool."""
    if facts.engine is None:
        return _unknown(other, facts, intended)
    if facts.engine.url.get_backend_name() == _WITHOUT_SERVER:
        said = f"In the database of the application, {facts.engine}, loadtest will"
        lines = (said, f"- {intended.writes}", f"- run {intended.work(facts)}")
        return intended.database(other, DrivenServer(seconds=facts.seconds), *lines)
    try:
        url = _seen_from_here(facts.engine)
        server_probe.probe_server(url)
    except UsageError as error:
        return _not_seen(error, facts.engine, other, facts, intended)
    refuse_other_server(other, url)
    return replace(_foreign(url, DrivenServer(), facts, intended), url=other or url)


def _foreign(
    url: URL, known: DrivenServer, facts: ApplicationFacts, intended: _Intended
) -> Database:
    """A server with other clients; raises UsageError if it has no room, or does not answer."""
    demand, allowed = intended.demand(facts), intended.allowed
    now = situation(url, demand, private=False)
    warned, in_use = checked(now), connections_now(now.server)
    work, place = intended.work(facts), database_place(url)
    lines = intentions(place, demand, work, (), allowed, in_use, intended.writes)
    driven = replace(
        known,
        ceilings=_ceilings(demand),
        processes=demand.processes if facts.engine else None,
        guarded=not allowed.trouble,
        lacks=server_probe.probe_server(url).lacks,
        seconds=facts.seconds,
    )
    return intended.database(url, driven, *lines, warnings=warned)


def _not_seen(
    error: UsageError,
    engine: ToldEngine,
    other: URL | None,
    facts: ApplicationFacts,
    intended: _Intended,
) -> Database:
    """The database if the tool cannot watch it by the engine's URL.

    Then another URL leads to it, or the user permits a run without watching.
    """
    if other is not None:
        if not _is_readable(engine.url):
            refuse_other_server(other, engine.url)
        return _foreign(other, DrivenServer(), facts, intended)
    if not _permitted(intended.allowed):
        raise _must_see(engine, error)
    unseen = f"The application's server cannot be watched: {error}"
    demand, place = intended.demand(facts), address_in_words(engine.url)
    given = place, demand, intended.work(facts), (), intended.allowed
    lines = intentions(*given, writes=intended.writes, watched=False)
    driven = DrivenServer(
        ceilings=_ceilings(demand), processes=demand.processes, seconds=facts.seconds
    )
    return intended.database(None, driven, *lines, warnings=(unseen,))


def _must_see(engine: ToldEngine, error: UsageError) -> UsageError:
    """The error about a server that the tool cannot watch, with what the user can do."""
    looking = f"Give --database-url with a URL that begins with {DRIVER}:// for looking; or give"
    return UsageError(
        *error.problems,
        "This tool must see the application's server before it adds load. "
        f"{looking if _is_readable(engine.url) else 'Give'} --allow-overload and --no-abort if no "
        "other client needs the server",
    )


def _permitted(allowed: Allowances) -> bool:
    """Whether a server may get load that the tool cannot watch."""
    return allowed.overload and allowed.trouble


def _unknown(other: URL | None, facts: ApplicationFacts, intended: _Intended) -> Database:
    """The database of an engine that only requests make; it is checked when it is made."""
    demand = intended.demand(facts)
    late = (
        "The application makes its engine with a request, so its server is not known before the "
        "load. On a server, the run ends unless --allow-overload and --no-abort are given"
    )
    driven = DrivenServer(
        ceilings=_ceilings(demand),
        check_late=partial(_check_late, demand, intended.allowed),
        seconds=facts.seconds,
    )
    return intended.database(other, driven, late, intended.sentence(facts))


def _check_late(demand: Demand, allowed: Allowances, engine: ToldEngine) -> None:
    """Raise UsageError if an engine has a server with other clients, unless that is allowed.

    Nothing was announced for it, its processes are not counted, and no guard watches it.
    """
    if engine.url.get_backend_name() == _WITHOUT_SERVER:
        return
    if not _permitted(allowed):
        raise UsageError(
            f"the application makes the engine {engine} with a request, so its server is not "
            "watched: let the URL of --ready use the database, so that the engine exists before "
            "the load; or give --allow-overload and --no-abort if no other client needs the server"
        )
    if _is_readable(engine.url):
        checked(situation(_seen_from_here(engine), demand, private=False))


def _seen_from_here(engine: ToldEngine) -> URL:
    """The URL of an engine's server for this tool; raises UsageError if it is of another kind."""
    if not _is_readable(engine.url):
        kind = engine.url.get_backend_name()
        raise UsageError(
            f"the engine {engine} connects to {kind}, and loadtest reads the status of MariaDB and "
            "MySQL only"
        )
    return engine.url.set(drivername=DRIVER, query={})


def _is_readable(url: URL) -> bool:
    """Whether the tool can read the status of servers of this kind."""
    return url.get_backend_name() in _MYSQL


def _ceilings(demand: Demand) -> dict[str, int]:
    """The most connections of one process, by the pool's name."""
    return {pool.name: demand.of_process(pool) for pool in demand.pools}
