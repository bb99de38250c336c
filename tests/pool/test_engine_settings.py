"""A pool that an application made: its settings, and another pool in its place."""

import logging

import pytest
from sqlalchemy import (
    AssertionPool,
    NullPool,
    QueuePool,
    StaticPool,
    create_engine,
    event,
)
from sqlalchemy.pool import SingletonThreadPool  # 2.0 has it there alone

from loadtest.pool.engine_settings import accepted_by, another, settings_of
from loadtest.pool.fair_pool import FairPool
from loadtest.pool.sqlalchemy_internals import creator_of


@pytest.mark.parametrize("poolclass", [QueuePool, FairPool])
def test_every_setting_of_a_queue_is_read_under_the_name_that_it_was_given_by(poolclass):
    given = {
        "pool_size": 3,
        "max_overflow": 4,
        "pool_timeout": 0.5,
        "pool_recycle": 60,
        "pool_pre_ping": True,
        "pool_use_lifo": True,
        "pool_reset_on_return": "commit",
    }
    engine = create_engine("sqlite://", poolclass=poolclass, **given)
    assert settings_of(engine.pool) == given | {"poolclass": poolclass.__name__}


@pytest.mark.parametrize("poolclass", [NullPool, StaticPool, SingletonThreadPool, AssertionPool])
def test_a_pool_without_a_queue_has_no_sizes(poolclass):
    engine = create_engine("sqlite://", poolclass=poolclass, pool_recycle=9)
    assert settings_of(engine.pool) == {
        "poolclass": poolclass.__name__,
        "pool_size": None,
        "max_overflow": None,
        "pool_recycle": 9,
        "pool_pre_ping": False,
        "pool_reset_on_return": "rollback",
    }


@pytest.mark.parametrize(
    ("given", "read"), [("rollback", "rollback"), ("commit", "commit"), (None, "none")]
)
def test_what_a_return_resets_is_read(given, read):
    engine = create_engine("sqlite://", pool_reset_on_return=given)
    assert settings_of(engine.pool)["pool_reset_on_return"] == read


def test_another_pool_connects_in_the_same_way_and_tells_the_same_listeners():
    done = []
    engine = create_engine(
        "sqlite://",
        poolclass=StaticPool,
        creator=lambda: done.append("creator") or Driver.connect(),
    )
    event.listen(engine, "connect", lambda *_: done.append("connect"))
    event.listen(engine, "checkin", lambda *_: done.append("checkin"))
    settings = {"pool_size": 2, "max_overflow": 0, "pool_timeout": 1.0}
    engine.pool = another(engine, engine.pool, QueuePool, settings)
    engine.connect().close()
    assert settings_of(engine.pool).items() >= settings.items()
    assert done == ["creator", "connect", "checkin"]
    engine.dispose()
    engine.connect().close()
    assert done == ["creator", "connect", "checkin"] * 2
    engine.dispose()


class Driver:
    """Connects as the driver does that the tests of pools use."""

    @staticmethod
    def connect():
        import sqlite3

        return sqlite3.connect(":memory:", check_same_thread=False)


def test_another_pool_pings_through_the_engines_dialect_and_logs_under_its_name(caplog):
    caplog.set_level(logging.DEBUG, "sqlalchemy.pool")
    engine = create_engine("sqlite://", pool_logging_name="shop")
    settings = {"pool_pre_ping": True}
    engine.pool = another(engine, engine.pool, QueuePool, settings)
    pinged = []
    engine.dialect.do_ping = lambda connection: pinged.append(1) or True
    for _ in range(2):
        engine.connect().close()
    assert pinged == [1], "a new connection is not pinged"
    assert {record.name for record in caplog.records} == {"sqlalchemy.pool.impl.QueuePool.shop"}
    engine.dispose()


def test_the_creator_is_that_of_create_engine():
    engine = create_engine("sqlite://", creator=Driver.connect)
    assert creator_of(engine.pool) is Driver.connect
    other = create_engine("sqlite://", poolclass=NullPool, creator=creator_of(engine.pool))
    other.connect().close()


def test_the_arguments_of_a_pool_are_known_by_its_class():
    of_queues = {"pool_size", "max_overflow", "pool_timeout", "pool_use_lifo"}
    assert accepted_by(QueuePool) - accepted_by(NullPool) == of_queues
    assert accepted_by(FairPool) == accepted_by(QueuePool)
    shared = {"pool_recycle", "pool_pre_ping", "pool_reset_on_return"}
    assert shared <= accepted_by(NullPool) & accepted_by(QueuePool)
