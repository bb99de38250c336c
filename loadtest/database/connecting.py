"""What connecting to a database takes here: measured, not known."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from sqlalchemy import URL, Engine, NullPool, create_engine

from loadtest.config import PoolConfig
from loadtest.database.engine import make_engine

CONNECTS = 7


@dataclass(frozen=True)
class Handshake:
    """The median time to connect (s): with one TLS context for all, as the tool does, or without
    TLS where the server speaks none; and as `create_engine` comes. tls: whether it is encrypted.
    """

    shared: float
    own: float
    tls: bool


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


def _as_it_comes(url: URL) -> Engine:
    return create_engine(url, poolclass=NullPool)


def _seconds(engine: Engine) -> float:
    begin = time.perf_counter()
    connection = engine.raw_connection()
    elapsed = time.perf_counter() - begin
    connection.close()
    return elapsed
