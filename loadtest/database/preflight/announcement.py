"""Before every run: reads the situation, and announces what the run will do to a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import URL

from loadtest.database.connection_errors import hint_without_database
from loadtest.database.preflight.machine_limits import machine_limits
from loadtest.database.preflight.occupancy import Occupancy, occupancy
from loadtest.database.preflight.situation import Demand, Situation
from loadtest.database.redaction import host_and_port
from loadtest.model.allowances import UNSEEN_SECONDS, Allowances


def situation(
    url: URL,
    demand: Demand,
    *,
    private: bool,
    connecting: Mapping[str, Any] | None = None,
    session: Mapping[str, str] | None = None,
) -> Situation:
    """The limits and the use of this machine and the server; measures nothing.

    private: whether the tool started the server. connecting: arguments of `create_engine` to
    connect with instead of the URL. session: the variables of an application's own session.
    Raises UsageError if the server cannot be reached.
    """
    now = occupancy(url, connecting, hint_without_database(connecting))
    now = replace(now, variables={**now.variables, **(session or {})})
    return Situation(demand, machine_limits(url), now, private, host=url.host or "")


def database_place(url: URL) -> str:
    """The name and the address of a database for a sentence, without user and password."""
    return f"{url.database} at {host_and_port(url)}"


def load_in_words(users: int, arrival_rate: float | None) -> str:
    """The maximum load, as part of a sentence; arrival_rate: the offered rate (1/s), open loop."""
    offered = f"{arrival_rate:,g} requests per second and " if arrival_rate else ""
    return f"at most {offered}{users:,} users"


def connections_now(server: Occupancy) -> str:
    """The connections in use and the server's limit, in words; empty if one is not known."""
    if server.connected is None or server.max_connections is None:
        return ""
    return f"{server.connected:,} of max_connections = {server.max_connections:,} are in use"


def intentions(
    place: str,
    demand: Demand,
    work: str,
    tables: Sequence[str],
    allowed: Allowances,
    in_use: str = "",
    writes: str = "",
    watched: bool = True,
) -> Iterator[str]:
    """The lines that announce what will happen to a server that the tool did not start.

    work: the load in words. tables: the scenario's tables. in_use: the connections in use, in
    words, if known. writes: what is written instead of the scenario's tables, in words. watched:
    whether the tool reads the server's status.
    """
    watch = "" if watched else " and cannot watch"
    yield f"In the database {place}, on a server that this tool did not start{watch}, loadtest will"
    each = f"{demand.most:,} in the pool"
    if demand.processes > 1:
        each = f"{demand.processes} processes × {demand.most // demand.processes} in the pool"
    in_use = f"; {in_use}" if in_use else ""
    killing = ", 1 to kill some of them" if demand.killing else ""
    other = f", {demand.other_engines:,} in other engines" if demand.other_engines else ""
    status = ", 1 to read the server's status" if watched else ""
    most = demand.most + (demand.beside if watched else demand.other_engines)
    yield f"- open at most {most:,} connections at once ({each}{other}{status}{killing}){in_use}"
    yield f"- {writes or _tables_in_words(tables, allowed)}"
    yield f"- run {work}"
    if not allowed.trouble:
        yield (
            "- stop as soon as the server refuses connections of other clients, or its status "
            f"cannot be read for {UNSEEN_SECONDS} s"
        )


def _tables_in_words(tables: Sequence[str], allowed: Allowances) -> str:
    if not tables:
        return "create and drop no tables"
    end = "keep them" if allowed.tables else "drop them at the end"
    return f"drop, create and fill the tables {', '.join(tables)}, and {end}"
