"""What connecting to a database takes here: measured, not known."""

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


@dataclass(frozen=True)
class Handshake:
    """The median time to connect (s): with one TLS context for all, as the tool does, or without
    TLS where the server speaks none; and as `create_engine` comes. tls: whether it is encrypted.

    of_application: `own` is as an application connects. If it builds a context for every connection
    `shared` is that without the time in which one is built, else it is the same. driver: its name.
    """

    shared: float
    own: float
    tls: bool
    of_application: bool = False
    driver: str = "PyMySQL"


def handshake(url: URL, *, tls: bool) -> Handshake:
    """Connect a few times each way, one way after the other in turn.

    tls: whether the server speaks TLS.
    """
    engines = (make_engine(url, PoolConfig(poolclass="NullPool"), tls=tls), _as_it_comes(url))
    for engine in engines:
        engine.connect().close()  # the first one of an engine asks the server about itself
    both = [[_seconds(engine) for engine in engines] for _ in range(CONNECTS)]
    shared, own = (median(times) for times in zip(*both, strict=True))
    return Handshake(shared, own, tls)


def application_handshake(url: URL, connecting: Mapping[str, Any], *, tls: bool) -> Handshake:
    """Connect a few times as an application does, and look whether they share a TLS context.

    connecting: its way, as arguments of `create_engine`. tls: whether it is encrypted.
    """
    engine = create_engine(url, poolclass=NullPool, **connecting)
    with engine.connect() as connection:
        driver = driver_of(connection.connection.dbapi_connection)
    contexts: list[Any] = []
    own = median(_seconds(engine, contexts.append) for _ in range(CONNECTS))
    building = tls_context_seconds() * _built(
        contexts, of_connector=tls and driver == PURE_CONNECTOR
    )
    return Handshake(max(0.0, own - building), own, tls, of_application=True, driver=driver)


def _built(contexts: Sequence[Any], *, of_connector: bool) -> int:
    """How often each connection loads all certificates."""
    if of_connector:
        return 2  # once with ssl.create_default_context(), once again with load_default_certs()
    return int(sum(context is not contexts[0] for context in contexts) == CONNECTS - 1)


def tls_context_seconds() -> float:
    """What building a TLS context takes here (s, a median): it loads all certificates."""
    return median(_seconds_to_build() for _ in range(CONNECTS))


def _as_it_comes(url: URL) -> Engine:
    return create_engine(url, poolclass=NullPool)


def _seconds(engine: Engine, tell: Callable[[Any], None] = lambda _: None) -> float:
    """How long it takes to connect; the TLS context is told, which only PyMySQL shows."""
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
