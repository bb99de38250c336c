"""Which server each engine of an application reaches, and whether it may."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import URL, text

from loadtest.database.connection_errors import connection_error
from loadtest.database.engine import DRIVER
from loadtest.database.probing import probing_engine
from loadtest.experiment.driving.servers.server_address import (
    ServerAddress,
    address_in_words,
    server_address,
)
from loadtest.experiment.driving.told_engines import ToldEngine
from loadtest.model.errors import RefusedRun, UsageError
from loadtest.model.server_identity import IDENTIFIED, IDENTITY_QUERY, ReachedServer

WITHOUT_SERVER = "sqlite"
_Reached = Collection[ReachedServer]


class KnownServer(NamedTuple):
    """A server that was announced, or that the tool started; identity: empty if it is not known."""

    url: URL
    address: ServerAddress
    database: str
    identity: str

    @classmethod
    def of(cls, url: URL) -> KnownServer:
        """The server that a URL leads to; raises UsageError if it does not answer."""
        try:
            with probing_engine(url).connect() as connection:
                row = connection.execute(text(IDENTITY_QUERY)).one()
        except Exception as error:  # for a wrong option in the URL, the driver raises TypeError
            raise connection_error(error, url) from None
        return cls(url, server_address(url), *ReachedServer.of(row))

    @classmethod
    def unseen(cls, url: URL) -> KnownServer:
        """The server of a URL, which the tool cannot look at."""
        return cls(url, server_address(url), url.database or "", "")

    def is_reached(self, engine: ToldEngine, reached: _Reached) -> bool:
        """Whether an engine leads here: by what it reached, else by the address of its URL."""
        if reached and self.identity:
            return all(one.identity == self.identity for one in reached)
        return engine.by_url and server_address(engine.url) == self.address


def has_server(engine: ToldEngine) -> bool:
    """Whether other clients can use the database of an engine."""
    return engine.url.get_backend_name() != WITHOUT_SERVER


def is_readable(url: URL) -> bool:
    """Whether the tool can read the status of servers of this kind."""
    return url.get_backend_name() in IDENTIFIED


def seen_from_here(engine: ToldEngine) -> URL:
    """The URL of an engine's server for this tool; raises UsageError if there is none."""
    if not engine.by_url and not engine.url.host:
        raise UsageError(
            f"the engine {engine} connects by an own function or argument, and its URL names no "
            "server"
        )
    if not is_readable(engine.url):
        kind = engine.url.get_backend_name()
        raise UsageError(
            f"the engine {engine} connects to {kind}, and loadtest reads the status of MariaDB and "
            "MySQL only"
        )
    return engine.url.set(drivername=DRIVER, query={})


def refuse_unless_reached(engine: ToldEngine, reached: _Reached, server: KnownServer) -> None:
    """Raise UsageError if an engine does not reach a server, or has not shown that it does."""
    if server.is_reached(engine, reached):
        return
    place = address_in_words(server.url)
    if reached:
        raise UsageError(f"the engine {engine} is connected to another server than {place}")
    raise UsageError(
        f"the engine {engine} has not connected yet, so it is not known whether its server is the "
        f"one of {place}: let the URL of --ready use the database, so that it connects before the "
        "load"
    )


@dataclass(frozen=True)
class ServerRules:
    """The servers that the engines of an application may reach.

    known: those that were announced, or that the tool started. seen: the engines before the load.
    expected: the one that the meant engine must reach, if `{database_url}` names it. private:
    whether the tool started it. permitted: whether the user allows load on unknown servers.
    """

    known: Collection[KnownServer]
    seen: Collection[object]
    expected: KnownServer | None = None
    private: bool = False
    permitted: bool = False

    def check(self, engine: ToldEngine, reached: _Reached, meant: bool) -> None:
        """Raise RefusedRun if an engine may not reach its server, or is not expected there."""
        if not has_server(engine):
            return
        if meant and self.expected and reached:
            _check_expected(engine, reached, self.expected)
        if self.permitted or self._is_private(engine, reached):
            return
        if engine.identity not in self.seen:
            raise RefusedRun(
                f"the application makes the engine {engine} with a request, so its server is not "
                "watched: let the URL of --ready use the database, so that the engine exists "
                "before the load; or give --allow-overload and --no-abort if no other client needs "
                "the server"
            )
        is_known = any(one.is_reached(engine, reached) for one in self.known)
        if not is_known and (reached or engine.by_url):
            raise RefusedRun(
                f"the engine {engine} connects to a server that was not announced: give "
                "--allow-overload and --no-abort if no other client needs the server"
            )

    def _is_private(self, engine: ToldEngine, reached: _Reached) -> bool:
        own = self.expected if self.private else None
        return own is not None and own.is_reached(engine, reached)


def _check_expected(engine: ToldEngine, reached: _Reached, expected: KnownServer) -> None:
    """Raise RefusedRun unless each connection reached the expected database."""
    if all(one == (expected.database, expected.identity) for one in reached):
        return
    names = ", ".join(sorted({one.database or "no database" for one in reached}))
    same = expected.is_reached(engine, reached)
    where = f"{names} on the same server" if same else f"{names} on another server"
    raise RefusedRun(
        f"the engine {engine} is connected to {where}, not to {address_in_words(expected.url)}: "
        "put {database_url} where the application reads its URL"
    )
