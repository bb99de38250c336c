"""The database of a driven application: a private server, the given one, or its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import URL

from loadtest.database.engine import DRIVER, database_url
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
from loadtest.experiment.driving.driven_server import DrivenServer
from loadtest.experiment.driving.look import ApplicationFacts, look_at
from loadtest.experiment.driving.server_address import refuse_other_server
from loadtest.experiment.driving.told_engines import ToldEngine
from loadtest.experiment.faults.fault_address import fault_address
from loadtest.experiment.faults.schedule import FaultSchedule, refuse_without_private_server
from loadtest.experiment.single_run import Database, Databases
from loadtest.model.allowances import Allowances
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.pool_limits import PoolSizes, connection_limit
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
        others = [_most(engine, users) for engine in facts.others]
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
    """The database of the application that an experiment drives, which is started once to see it.

    given: the URL of the user's own server, for `{database_url}`; otherwise for PoolUsers beside
    the users of the application, and for looking. runs: the maximum number of runs; tried: whether
    each task is tried once before them.
    Raises UsageError if the application or its server cannot be used.
    """
    (application,) = experiment.application
    most = demand_of(experiment, allowed).most
    server_probe.raise_open_files_limit(most)
    intended = _Intended(experiment, allowed, runs, tried)
    if not application.needs_database:
        with _found(given, intended) as database:
            yield {"": database}
    elif given:
        refuse_beside_database(bool(experiment.server), True)
        url = database_url(given)
        with closing(FaultSchedule(experiment.fault, url, None, driven=True)) as faults:
            known = DrivenServer(url, relay=faults.relay)
            found = _foreign(url, known, look_at(experiment, known), intended)
            yield {"": replace(found, faults=faults)}
    else:
        (program,) = experiment.servers
        with (
            PrivateServer(most, program) as server,
            closing(FaultSchedule(experiment.fault, server.url, server, driven=True)) as faults,
        ):
            yield {program: _private(server, faults, intended)}


@contextmanager
def _found(given: str, intended: _Intended) -> Iterator[Database]:
    """The database that the application finds without this tool, with the faults in front of it."""
    faults = intended.experiment.fault
    refuse_without_private_server(faults, "put {database_url} into --app-env to have one started")
    other = database_url(given) if given else None
    facts = look_at(intended.experiment, DrivenServer())
    database = _own(other, facts, intended)
    if not faults:
        yield database
        return
    address = fault_address(faults, facts.engine, other)
    with closing(FaultSchedule(faults, address, None, driven=True)) as schedule:
        driven = replace(database.driven, relay=schedule.relay)
        yield replace(database, faults=schedule, driven=driven)


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
        return _not_seen(error, other, facts, intended)
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
    error: UsageError, other: URL | None, facts: ApplicationFacts, intended: _Intended
) -> Database:
    """The database if the engine's URL does not lead to it: by another URL, or on permission."""
    if other is not None:
        return _foreign(other, DrivenServer(), facts, intended)
    if intended.allowed.overload and intended.allowed.trouble:
        unseen = f"The server of the engine {facts.engine} cannot be watched: {error}"
        driven = DrivenServer(seconds=facts.seconds)
        return intended.database(None, driven, intended.sentence(facts), warnings=(unseen,))
    raise UsageError(
        *error.problems,
        "This tool must see the application's server before it adds load. Give --database-url with "
        f"a URL that begins with {DRIVER}:// for looking; or give --allow-overload and --no-abort "
        "if no other client needs the server",
    )


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
    url = _seen_from_here(engine)
    if not (allowed.overload and allowed.trouble):
        raise UsageError(
            f"the application makes the engine {engine} with a request, so its server is not "
            "watched: let the URL of --ready use the database, so that the engine exists before "
            "the load; or give --allow-overload and --no-abort if no other client needs the server"
        )
    checked(situation(url, demand, private=False))


def _seen_from_here(engine: ToldEngine) -> URL:
    """The URL of an engine's server for this tool; raises UsageError if it is of another kind."""
    backend = engine.url.get_backend_name()
    if backend not in _MYSQL:
        raise UsageError(f"the engine {engine} connects to {backend}, which this tool cannot watch")
    return engine.url.set(drivername=DRIVER, query={})


def _ceilings(demand: Demand) -> dict[str, int]:
    """The most connections of one process, by the pool's name."""
    return {pool.name: demand.of_process(pool) for pool in demand.pools}


def _most(engine: ToldEngine, users: int) -> int:
    """The most connections of an engine that is not under test, in one process."""
    if not engine.pool:  # it is not recorded
        return users
    sizes = PoolSizes(*(engine.pool[n] for n in ("poolclass", "pool_size", "max_overflow")))
    most = connection_limit(sizes)
    return users if most is None else min(most, users)
