"""Settings as one writes them in Python."""

import sqlalchemy
from sqlalchemy.pool import NullPool, QueuePool

from loadtest.analysis.pool_settings import create_engine_line, most_connections, pool_arguments
from loadtest.model.pool import PoolConfig, parse_pool


def _made(pool: PoolConfig) -> sqlalchemy.Engine:
    """The engine that the printed line makes."""
    names = {"create_engine": sqlalchemy.create_engine, "NullPool": NullPool, "url": "sqlite://"}
    # SQLite's pool in memory is another one; QueuePool is MySQL's.
    line = create_engine_line(pool.model_dump()).replace("(url, ", "(url, poolclass=QueuePool, ")
    line = line.replace("poolclass=QueuePool, poolclass=NullPool", "poolclass=NullPool")
    space = {**names, "QueuePool": QueuePool}
    exec(line, space)
    return space["engine"]  # type: ignore[return-value]


def test_sizes_are_always_said_and_defaults_are_not() -> None:
    assert pool_arguments(parse_pool("20+0").model_dump()) == "pool_size=20, max_overflow=0"
    assert (
        create_engine_line(parse_pool("pool_size=20,max_overflow=0,pool_timeout=2").model_dump())
        == "engine = create_engine(url, pool_size=20, max_overflow=0, pool_timeout=2)"
    )


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
    settings = parse_pool("isolation_level=READ COMMITTED").model_dump()
    assert pool_arguments(settings).endswith('isolation_level="READ COMMITTED"')


def test_what_limits_the_connections() -> None:
    for text in ("20+0", "5+10", "3000+inf", "poolclass=NullPool", "0+10", "as-is"):
        pool = parse_pool(text)
        assert most_connections(pool.model_dump()) == pool.most_connections


def test_a_pool_of_another_class_is_said_by_its_class() -> None:
    found = {"name": "as-is", "poolclass": "StaticPool", "pool_size": None, "max_overflow": None}
    assert pool_arguments(found | {"pool_recycle": 60}) == "poolclass=StaticPool, pool_recycle=60"
    assert most_connections(found) == 1
    assert most_connections(found | {"poolclass": "SingletonThreadPool"}) is None


def test_of_an_applications_own_pool_that_never_ran_nothing_is_known() -> None:
    assert pool_arguments(parse_pool("as-is").model_dump()) == "poolclass=as-is"
