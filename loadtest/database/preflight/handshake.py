"""Measures how long connecting to a database takes from this machine."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import URL, Engine, NullPool, create_engine

from loadtest.database.drivers import PURE_CONNECTOR, driver_of
from loadtest.database.engine import make_engine
from loadtest.model.pool import PoolConfig

CONNECTS = 7
_CONTEXTS = 3  # each run builds them


@dataclass(frozen=True)
class Handshake:
    """The median time to connect (s).

    shared: with one TLS context for all connections, as the tool connects, or without TLS if the
    server has none. own: with plain `create_engine`. tls: whether connections are encrypted.
    of_application: `own` is for the application's way to connect; `shared` is the same, minus the
    time to build a TLS context if it builds one per connection. driver: its name.
    """

    shared: float
    own: float
    tls: bool
    of_application: bool = False
    driver: str = "PyMySQL"


def handshake(url: URL, *, tls: bool) -> Handshake:
    """The time to connect, measured a few times each way, alternating.

    tls: whether the server supports TLS.
    """
    engines = (make_engine(url, PoolConfig(poolclass="NullPool"), tls=tls), _as_it_comes(url))
    for engine in engines:
        engine.connect().close()  # an engine's first connection also queries the server's settings
    both = [[_seconds(engine) for engine in engines] for _ in range(CONNECTS)]
    shared, own = (median(times) for times in zip(*both, strict=True))
    return Handshake(shared, own, tls)


def application_handshake(url: URL, connecting: Mapping[str, Any], *, tls: bool) -> Handshake:
    """The time to connect like an application, and whether its connections share a TLS context.

    connecting: its arguments of `create_engine`. tls: whether its connections are encrypted.
    """
    engine = create_engine(url, poolclass=NullPool, **connecting)
    with engine.connect() as connection:
        driver = driver_of(connection.connection.dbapi_connection)
    contexts: list[Any] = []
    # Alternating, because other work on the machine makes both slower.
    both = [(_seconds(engine, contexts.append), _seconds_to_build()) for _ in range(CONNECTS)]
    own, context = (median(times) for times in zip(*both, strict=True))
    building = context * _built(contexts, of_connector=tls and driver == PURE_CONNECTOR)
    return Handshake(max(0.0, own - building), own, tls, of_application=True, driver=driver)


def _built(contexts: Sequence[Any], *, of_connector: bool) -> int:
    """How often each connection loads all certificates, 0 to 2 times."""
    if of_connector:
        return 2  # in ssl.create_default_context(), and again in load_default_certs()
    return int(sum(context is not contexts[0] for context in contexts) == CONNECTS - 1)


def tls_context_seconds() -> float:
    """The median time to build a TLS context (s), which loads all certificates."""
    return median(_seconds_to_build() for _ in range(_CONTEXTS))


def _as_it_comes(url: URL) -> Engine:
    return create_engine(url, poolclass=NullPool)


def _seconds(engine: Engine, tell: Callable[[Any], None] = lambda _: None) -> float:
    """The time to connect (s); `tell` gets the TLS context, which only PyMySQL exposes."""
    begin = time.perf_counter()
    connection = engine.raw_connection()
    elapsed = time.perf_counter() - begin
    tell(getattr(connection.dbapi_connection, "ctx", None))
    connection.close()
    return elapsed


def _seconds_to_build() -> float:
    begin = time.perf_counter()
    ssl.create_default_context()
    return time.perf_counter() - begin
