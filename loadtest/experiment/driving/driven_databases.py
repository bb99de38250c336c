"""The database of a driven application: a private server, the given one, or its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
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
from loadtest.experiment.driving.told_engines import ToldEngine
from loadtest.experiment.single_run import Database, Databases
from loadtest.model.allowances import Allowances
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.pool import PoolSettings
from loadtest.runfile.folders import as_typed

_MYSQL = ("mysql", "mariadb")
_WITHOUT_SERVER = "sqlite"


@contextmanager
def driven_databases(
    given: str, experiment: Experiment, allowed: Allowances, runs: int
) -> Iterator[Databases]:
    """The database of the application that an experiment drives, which is started once to see it.

    given: the URL of the user's own server, for `{database_url}`. runs: the maximum number of runs.
    Raises UsageError if the application or its server cannot be used.
    """
    (application,) = experiment.application
    most = demand_of(experiment, allowed).most
    server_probe.raise_open_files_limit(most)
    if not application.needs_database:
        yield {"": _own(given, experiment, allowed, runs)}
    elif given:
        refuse_beside_database(bool(experiment.server), True)
        url = database_url(given)
        known = DrivenServer(url)
        yield {"": _foreign(url, known, look_at(experiment, known), experiment, allowed, runs)}
    else:
        (program,) = experiment.servers
        with PrivateServer(most, program) as server:
            yield {program: _private(server, experiment, allowed)}


def _private(server: PrivateServer, experiment: Experiment, allowed: Allowances) -> Database:
    known = DrivenServer(server.url, private=True)
    demand = _demand(experiment, allowed, look_at(experiment, known))
    return Database(
        server.url,
        True,
        None,
        allowed,
        checked(situation(server.url, demand, private=True)),
        ready=server.ready,
        running=lambda: server.running,
        last_error=lambda: server.last_error,
        driven=known,
    )


def _own(given: str, experiment: Experiment, allowed: Allowances, runs: int) -> Database:
    """The database that the application finds without this tool."""
    facts = look_at(experiment, DrivenServer())
    if facts.engine is None:
        return _unknown(experiment, allowed, runs)
    backend = facts.engine.url.get_backend_name()
    if backend == _WITHOUT_SERVER:
        said = f"In the database of the application, {facts.engine}, loadtest will"
        work = work_in_words(experiment, runs, tried=False)
        lines = (said, f"- {_writes(experiment)}", f"- run {work}")
        return Database(None, False, None, allowed, (), lines)
    try:
        url = _seen_from_here(facts.engine)
        server_probe.probe_server(url)
    except UsageError as error:
        return _not_seen(error, given, facts, experiment, allowed, runs)
    return _foreign(url, DrivenServer(), facts, experiment, allowed, runs)


def _foreign(
    url: URL,
    known: DrivenServer,
    facts: ApplicationFacts,
    experiment: Experiment,
    allowed: Allowances,
    runs: int,
) -> Database:
    """A server with other clients; raises UsageError if it has no room, or does not answer."""
    demand = _demand(experiment, allowed, facts)
    now = situation(url, demand, private=False)
    warned, work = checked(now), work_in_words(experiment, runs, tried=False)
    place, in_use = database_place(url), connections_now(now.server)
    intended = intentions(place, demand, work, (), allowed, in_use, _writes(experiment))
    driven = replace(
        known,
        ceilings={pool.name: demand.of_process(pool) for pool in demand.pools},
        processes=demand.processes if facts.engine else None,
        guarded=not allowed.trouble,
        lacks=server_probe.probe_server(url).lacks,
    )
    return Database(url, False, None, allowed, warned, tuple(intended), driven=driven)


def _not_seen(
    error: UsageError,
    given: str,
    facts: ApplicationFacts,
    experiment: Experiment,
    allowed: Allowances,
    runs: int,
) -> Database:
    """The database if the engine's URL does not lead to it: by the given URL, or on permission."""
    if given:
        return _foreign(database_url(given), DrivenServer(), facts, experiment, allowed, runs)
    if allowed.overload and allowed.trouble:
        unseen = f"The server of the engine {facts.engine} cannot be watched: {error}"
        return Database(None, False, None, allowed, (unseen,), (_writes_there(experiment, runs),))
    raise UsageError(
        *error.problems,
        "This tool must see the application's server before it adds load. Give --database-url with "
        f"a URL that begins with {DRIVER}:// for looking; or give --allow-overload and --no-abort "
        "if no other client needs the server",
    )


def _unknown(experiment: Experiment, allowed: Allowances, runs: int) -> Database:
    """The database of an engine that only requests make; it is checked when it is made."""
    demand = demand_of(experiment, allowed)
    late = (
        "The application makes its engine with a request, so its server is not known before the "
        "load. The run ends if the server has no room",
        _writes_there(experiment, runs),
    )
    driven = DrivenServer(
        ceilings={pool.name: demand.of_process(pool) for pool in demand.pools},
        check_late=partial(_check_late, demand),
    )
    return Database(None, False, None, allowed, (), late, driven=driven)


def _check_late(demand: Demand, engine: ToldEngine) -> None:
    """Raise UsageError if the server of an engine has no room for a run."""
    if engine.url.get_backend_name() != _WITHOUT_SERVER:
        checked(situation(_seen_from_here(engine), demand, private=False))


def _seen_from_here(engine: ToldEngine) -> URL:
    """The URL of an engine's server for this tool; raises UsageError if it is of another kind."""
    backend = engine.url.get_backend_name()
    if backend not in _MYSQL:
        raise UsageError(f"the engine {engine} connects to {backend}, which this tool cannot watch")
    return engine.url.set(drivername=DRIVER, query={})


def _demand(experiment: Experiment, allowed: Allowances, facts: ApplicationFacts) -> Demand:
    """The demand of the application's processes together, each with all users of the load."""
    own = facts.engine.own_settings if facts.engine else None
    demand, processes = demand_of(experiment, allowed, own), max(1, facts.processes)
    users = demand.users * demand.per_user
    others = [_most(engine, users) for engine in facts.others]
    return replace(demand, processes=processes, other_engines=processes * sum(others))


def _most(engine: ToldEngine, users: int) -> int:
    """The most connections of an engine that is not under test, in one process."""
    settings = {name: engine.pool.get(name) for name in ("poolclass", "pool_size", "max_overflow")}
    most = PoolSettings(**settings).most_connections if engine.pool else None  # type: ignore[arg-type]
    return users if most is None else min(most, users)


def _writes(experiment: Experiment) -> str:
    scenario = as_typed(experiment.scenario)
    return f"send requests of {scenario}, which write to the application's own tables"


def _writes_there(experiment: Experiment, runs: int) -> str:
    work = work_in_words(experiment, runs, tried=False)
    return f"loadtest will {_writes(experiment)}, and run {work}"
