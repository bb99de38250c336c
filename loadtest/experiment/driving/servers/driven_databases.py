"""The databases of driven applications: a private server, the given one, or their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

from sqlalchemy import URL

from loadtest.database.application import DATABASE_URL
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
from loadtest.experiment.databases import checked
from loadtest.experiment.driving.driven_run import naming_application
from loadtest.experiment.driving.look import ApplicationFacts, look_at
from loadtest.experiment.driving.servers.driven_server import DrivenServer
from loadtest.experiment.driving.servers.engine_servers import (
    KnownServer,
    has_server,
    is_readable,
    refuse_unless_reached,
    seen_from_here,
)
from loadtest.experiment.driving.servers.intended_runs import IntendedRuns
from loadtest.experiment.driving.servers.server_address import address_in_words, refuse_other_server
from loadtest.experiment.driving.told_engines import ToldEngine
from loadtest.experiment.faults.fault_address import fault_address
from loadtest.experiment.faults.schedule import FaultSchedule, refuse_without_private_server
from loadtest.experiment.run_demand import demand_of
from loadtest.experiment.single_run import Database, Databases
from loadtest.model.allowances import Allowances
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.server_identity import IDENTIFIED


@contextmanager
def driven_databases(
    given: str,
    experiment: Experiment,
    allowed: Allowances,
    runs: int,
    *,
    tried: bool = False,
    searching: bool = False,
    announce: Callable[[Iterable[str]], object] = list,
) -> Iterator[Databases]:
    """The database of each application that an experiment drives; each is started once to see it.

    Applications that need a private server share one.

    given: the URL of the user's own server, for `{database_url}`; otherwise for PoolUsers beside
    the users of the application, and for looking. runs: the maximum number of runs; tried: whether
    each task is tried once before them. searching: whether the last pool is the largest one of a
    search, which becomes smaller if the server has no room for it. announce: shows lines, before
    the look.
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
            intended = IntendedRuns(one, allowed, runs // len(parts), tried, searching)
            with naming_application(name if len(parts) > 1 else ""):
                found[name or program] = _database(given, server, intended, announce, stack)
        yield found


def _database(
    given: str,
    server: PrivateServer | None,
    intended: IntendedRuns,
    announce: Callable[[Iterable[str]], object],
    stack: ExitStack,
) -> Database:
    """The database of the only application.

    server: the private one, if it was started. stack: closes the relay of faults.
    """
    (application,) = intended.experiment.application
    faults = intended.experiment.fault
    if not application.needs_database:
        return _found(given, intended, stack)
    if server:
        schedule = FaultSchedule(faults, server.url, server, driven=True)
        return _private(server, stack.enter_context(closing(schedule)), intended)
    url = _given_url(given)
    schedule = stack.enter_context(closing(FaultSchedule(faults, url, None, driven=True)))
    known = DrivenServer(url, relay=schedule.relay)
    there = KnownServer.of(url)
    announce(intended.preparation(url))
    database = _foreign(there, known, look_at(intended.experiment, known), intended)
    return replace(database, faults=schedule)


def _found(given: str, intended: IntendedRuns, stack: ExitStack) -> Database:
    """The database that the application finds without this tool, with the faults in front of it."""
    faults = intended.experiment.fault
    refuse_without_private_server(faults, "put {database_url} into --app-env to have one started")
    other = _given_url(given) if given else None
    facts = look_at(intended.experiment, DrivenServer())
    database = _own(other, facts, intended)
    if not faults:
        return database
    address = fault_address(faults, facts.engine, other)
    schedule = stack.enter_context(closing(FaultSchedule(faults, address, None, driven=True)))
    return replace(database, faults=schedule, driven=replace(database.driven, relay=schedule.relay))


def _given_url(given: str) -> URL:
    """The URL of the user's own server; raises UsageError if it is of a kind without a status."""
    kind, separator, _ = given.partition("://")
    if separator and kind.partition("+")[0] not in IDENTIFIED:
        raise UsageError(
            f"--database-url starts with {kind}://, but it must lead to MariaDB or MySQL: leave it "
            f"out, remove {DATABASE_URL} from the environment, and let the application read its "
            "URL from a variable of its own"
        )
    return database_url(given)


def _private(server: PrivateServer, faults: FaultSchedule, intended: IntendedRuns) -> Database:
    known = DrivenServer(server.url, private=True, relay=faults.relay)
    facts = look_at(intended.experiment, known)
    there = KnownServer.of(server.url)
    now = situation(server.url, intended.demand(facts, there), private=True)
    now, largest = intended.fitted(now)
    database = Database(
        server.url,
        True,
        faults,
        intended.allowed,
        checked(now),
        ready=server.ready,
        running=lambda: server.running,
        last_error=lambda: server.last_error,
        driven=replace(known, seconds=facts.seconds, largest_pools=largest),
    )
    return intended.with_rules(database, there, facts)


def _own(other: URL | None, facts: ApplicationFacts, intended: IntendedRuns) -> Database:
    """The database that the application finds without this tool."""
    if facts.engine is None:
        return _unknown(other, facts, intended)
    if not has_server(facts.engine):
        said = f"In the database of the application, {facts.engine}, loadtest will"
        lines = (said, f"- {intended.writes}", f"- run {intended.work(facts)}")
        driven = DrivenServer(seconds=facts.seconds)
        return intended.database(other, driven, None, facts, *lines)
    try:
        url = seen_from_here(facts.engine)
        if other is not None and not facts.engine.by_url:
            url = other
        server = KnownServer.of(url)
        refuse_unless_reached(facts.engine, facts.reached_by(facts.engine), server)
    except UsageError as error:
        return _not_seen(error, facts.engine, other, facts, intended)
    refuse_other_server(other, url)
    return replace(_foreign(server, DrivenServer(), facts, intended), url=other or url)


def _foreign(
    server: KnownServer, known: DrivenServer, facts: ApplicationFacts, intended: IntendedRuns
) -> Database:
    """A server with other clients; raises UsageError if it has no room, or does not answer."""
    url, demand, allowed = server.url, intended.demand(facts, server), intended.allowed
    now, largest = intended.fitted(situation(url, demand, private=False))
    warned, in_use = checked(now), connections_now(now.server)
    work, place = intended.work(facts), database_place(url)
    lines = intentions(place, now.demand, work, (), allowed, in_use, intended.writes)
    driven = replace(
        known,
        ceilings=_ceilings(demand),
        processes=demand.processes if facts.engine else None,
        guarded=not allowed.trouble,
        lacks=server_probe.probe_server(url).lacks,
        seconds=facts.seconds,
        largest_pools=largest,
    )
    return intended.database(url, driven, server, facts, *lines, warnings=warned)


def _not_seen(
    error: UsageError,
    engine: ToldEngine,
    other: URL | None,
    facts: ApplicationFacts,
    intended: IntendedRuns,
) -> Database:
    """The database if the tool cannot watch it by the engine's URL.

    Then another URL leads to it, or the user permits a run without watching.
    """
    if other is not None:
        if not is_readable(engine.url):
            refuse_other_server(other, engine.url)
        return _foreign(_seen_by(other, engine, facts, intended), DrivenServer(), facts, intended)
    if not intended.permitted:
        raise _must_see(engine, error)
    unseen = f"The application's server cannot be watched: {error}"
    server = KnownServer.unseen(engine.url)
    demand, place = intended.demand(facts, server), address_in_words(engine.url)
    given = place, demand, intended.work(facts), (), intended.allowed
    lines = intentions(*given, writes=intended.writes, watched=False)
    driven = DrivenServer(
        ceilings=_ceilings(demand), processes=demand.processes, seconds=facts.seconds
    )
    return intended.database(None, driven, server, facts, *lines, warnings=(unseen,))


def _seen_by(
    other: URL, engine: ToldEngine, facts: ApplicationFacts, intended: IntendedRuns
) -> KnownServer:
    """The server of another URL; raises UsageError if it is not known to be the engine's."""
    server = KnownServer.of(other)
    try:
        refuse_unless_reached(engine, facts.reached_by(engine), server)
    except UsageError as error:
        if facts.reached_by(engine) or not intended.permitted:
            raise _must_see(engine, error) from None
    return server


def _must_see(engine: ToldEngine, error: UsageError) -> UsageError:
    """The error about a server that the tool cannot watch, with what the user can do."""
    looking = f"Give --database-url with a URL that begins with {DRIVER}:// for looking; or give"
    return UsageError(
        *error.problems,
        "This tool must see the application's server before it adds load. "
        f"{looking if is_readable(engine.url) else 'Give'} --allow-overload and --no-abort if no "
        "other client needs the server",
    )


def _unknown(other: URL | None, facts: ApplicationFacts, intended: IntendedRuns) -> Database:
    """The database of an engine that only requests make; it is checked when it is made."""
    demand = intended.demand(facts, None)
    late = (
        f"{_why_unknown(facts, intended)}. On a server, the run ends unless --allow-overload and "
        "--no-abort are given"
    )
    driven = DrivenServer(ceilings=_ceilings(demand), seconds=facts.seconds)
    return intended.database(other, driven, None, facts, late, intended.sentence(facts))


def _why_unknown(facts: ApplicationFacts, intended: IntendedRuns) -> str:
    """Why no engine is meant before the load: requests make it, or its name is wrong."""
    (application,) = intended.experiment.application
    if not (application.engine and facts.others):
        return (
            "The application makes its engine with a request, so its server is not known before "
            "the load"
        )
    return (
        f"The application has no engine {application.engine} (--app-engine); it makes "
        f"{' and '.join(map(str, facts.others))}. Correct the name, or the run is refused unless a "
        "request makes the engine, whose server is not known before the load"
    )


def _ceilings(demand: Demand) -> dict[str, int]:
    """The most connections of one process, by the pool's name."""
    return {pool.name: demand.of_process(pool) for pool in demand.pools}
