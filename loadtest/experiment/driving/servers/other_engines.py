"""The engines of an application that are not under test: their servers and connections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from loadtest.database.preflight.announcement import connections_now, database_place, situation
from loadtest.database.preflight.situation import Demand
from loadtest.experiment.databases import checked
from loadtest.experiment.driving.look import ApplicationFacts
from loadtest.experiment.driving.servers.engine_servers import (
    KnownServer,
    has_server,
    refuse_unless_reached,
    seen_from_here,
)
from loadtest.experiment.driving.told_engines import ToldEngine
from loadtest.model.errors import UsageError
from loadtest.model.pool import PoolConfig
from loadtest.model.pool_limits import PoolSizes, connection_limit


@dataclass
class OtherServers:
    """The servers of engines that are not under test, other than the one that is watched.

    servers: those that can be seen. lines: their announcement. warnings: what cannot be known.
    """

    servers: list[KnownServer] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def of_server(facts: ApplicationFacts, server: KnownServer | None) -> ApplicationFacts:
    """The facts with only those other engines that lead to a server; None: to no server."""
    here = [e for e in facts.others if server and server.is_reached(e, facts.reached_by(e))]
    return replace(facts, others=here)


def other_servers(
    facts: ApplicationFacts, watched: KnownServer | None, demand: Demand, *, permitted: bool
) -> OtherServers:
    """The servers of the engines that are not under test, except for the watched one.

    demand: its processes and users. permitted: whether servers that cannot be seen are only
    warnings. Raises UsageError if a server has no room, or is not known.
    """
    found, engines = OtherServers(), dict[KnownServer, list[ToldEngine]]()
    here = of_server(facts, watched).others
    for engine in facts.others:
        if engine in here or not has_server(engine):
            continue
        try:
            server = _server_of(engine, facts)
            engines.setdefault(server, []).append(engine)
        except UsageError as error:
            if not permitted:
                raise UsageError(*error.problems, _unknown(engine)) from None
            found.warnings.append(f"The server of the engine {engine} is not known: {error}")
    for server, those in engines.items():
        found.servers.append(server)
        found.lines += _announced(server, those, demand, found.warnings)
    return found


def most_of_engine(engine: ToldEngine, users: int) -> int:
    """The most connections of an engine that is not under test, in one process."""
    if not engine.pool:  # it is not recorded
        return users
    sizes = PoolSizes(*(engine.pool[n] for n in ("poolclass", "pool_size", "max_overflow")))
    most = connection_limit(sizes)
    return users if most is None else min(most, users)


def _server_of(engine: ToldEngine, facts: ApplicationFacts) -> KnownServer:
    """The server of an engine; raises UsageError if the engine does not show that it is."""
    server = KnownServer.of(seen_from_here(engine))
    refuse_unless_reached(engine, facts.reached_by(engine), server)
    return server


def _unknown(engine: ToldEngine) -> str:
    return (
        f"The engine {engine} is not under test, but its connections must be announced, too: give "
        "--allow-overload and --no-abort if no other client needs its server"
    )


def _announced(
    server: KnownServer, engines: Sequence[ToldEngine], demand: Demand, warnings: list[str]
) -> Iterator[str]:
    """The announcement of connections to a server that is not watched; adds to the warnings."""
    each = sum(most_of_engine(one, demand.users * demand.per_user) for one in engines)
    pool = PoolConfig(pool_size=each, max_overflow=0)
    there = Demand((pool,), each, demand.processes, overload=demand.overload)
    now = situation(server.url, there, private=False)
    warnings += checked(now)
    in_use = connections_now(now.server)
    names = " and ".join(map(str, engines))
    yield (
        f"In the database {database_place(server.url)}, on a server that this tool did not start "
        "and does not watch, the application will"
    )
    most = f"- open at most {there.most:,} connections at once by {names}, not under test"
    yield f"{most}; {in_use}" if in_use else most
