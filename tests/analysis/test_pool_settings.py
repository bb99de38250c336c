"""Settings as one writes them in Python."""

from dataclasses import replace
from typing import Any

import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from loadtest.analysis.pool_settings import create_engine_line, pool_arguments
from loadtest.model.pool import PoolConfig, PoolSettings, parse_pool


def settings(text: str) -> PoolSettings:
    """The settings of a pool as the command line has it."""
    return PoolSettings(**parse_pool(text).model_dump())


def _made(pool: PoolConfig) -> sqlalchemy.Engine:
    """The engine that the printed line makes."""
    names = {"create_engine": sqlalchemy.create_engine, "NullPool": NullPool, "url": "sqlite://"}
    # SQLite's pool in memory is another one; QueuePool is MySQL's.
    line = create_engine_line(PoolSettings(**pool.model_dump())).replace(
        "(url, ", "(url, poolclass=QueuePool, "
    )
    line = line.replace("poolclass=QueuePool, poolclass=NullPool", "poolclass=NullPool")
    space = {**names, "QueuePool": QueuePool}
    exec(line, space)
    return space["engine"]  # type: ignore[return-value]


def test_sizes_are_always_said_and_defaults_are_not() -> None:
    assert pool_arguments(settings("20+0")) == "pool_size=20, max_overflow=0"
    assert (
        create_engine_line(settings("pool_size=20,max_overflow=0,pool_timeout=2"))
        == "engine = create_engine(url, pool_size=20, max_overflow=0, pool_timeout=2)"
    )


def test_the_pool_of_an_async_engine_needs_no_class() -> None:
    pool = replace(settings("20+0"), poolclass="AsyncAdaptedQueuePool")
    line = create_engine_line(pool)
    assert line == "engine = create_async_engine(url, pool_size=20, max_overflow=0)"
    made = ("create_async_engine(url", "create_async_engine('mysql+aiomysql://u@h/d'")
    space: dict[str, Any] = {"create_async_engine": create_async_engine}
    exec(line.replace(*made), space)
    assert type(space["engine"].pool).__name__ == pool.poolclass
    assert space["engine"].pool.size() == 20


def test_the_line_can_be_pasted() -> None:
    text = (
        "pool_size=7,max_overflow=3,pool_timeout=0.5,pool_reset_on_return=none,pool_use_lifo=true"
    )
    engine = _made(parse_pool(text))
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    assert (pool.size(), pool._max_overflow, pool._timeout) == (7, 3, 0.5)
    assert pool._reset_on_return.name == "reset_none"
    assert isinstance(_made(parse_pool("poolclass=NullPool")).pool, NullPool)


def test_texts_are_quoted() -> None:
    isolated = settings("isolation_level=READ COMMITTED")
    assert pool_arguments(isolated).endswith('isolation_level="READ COMMITTED"')


def test_what_limits_the_connections() -> None:
    for text in ("20+0", "5+10", "3000+inf", "poolclass=NullPool", "0+10", "as-is"):
        pool = parse_pool(text)
        assert settings(text).most_connections == pool.most_connections


def test_a_pool_of_another_class_is_said_by_its_class() -> None:
    found = PoolSettings("as-is", "StaticPool", None, None, pool_recycle=60)
    assert pool_arguments(found) == "poolclass=StaticPool, pool_recycle=60"
    assert found.most_connections == 1
    assert replace(found, poolclass="SingletonThreadPool").most_connections is None


def test_of_an_applications_own_pool_that_never_ran_nothing_is_known() -> None:
    assert pool_arguments(settings("as-is")) == "poolclass=as-is"
