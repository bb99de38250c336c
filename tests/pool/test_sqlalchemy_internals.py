"""The private attributes of SQLAlchemy that the tool uses: there, and as it believes they are."""

import ast
import copy
import inspect
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy
from measuring import use_once
from sqlalchemy import Pool, QueuePool, create_engine, event, pool, text
from sqlalchemy.dialects import plugins
from sqlalchemy.engine import CreateEnginePlugin
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.util.queue import AsyncAdaptedQueue

from loadtest.model.errors import LoadtestError
from loadtest.pool import sqlalchemy_internals as internals
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder

ALL = [(owner, name) for owner, names in internals.ATTRIBUTES.items() for name in names]


@pytest.fixture
def engine():
    made = create_engine("sqlite://", poolclass=QueuePool, pool_size=3, pool_recycle=7)
    yield made
    made.dispose()


@pytest.fixture
def holders(engine):
    """What has the attributes, by the names of the owners."""
    return {
        "Pool": engine.pool,
        "QueuePool": engine.pool,
        "type[QueuePool]": QueuePool,
        "Queue": engine.pool._pool,
        "type[AsyncAdaptedQueue]": AsyncAdaptedQueue,
        "Pool()": SimpleNamespace(**inspect.signature(Pool).parameters),
        "PoolProxiedConnection": pool._ConnectionFairy,
        "Dialect": engine.pool._dialect,
        "ThreadLocalRegistry": scoped_session(sessionmaker()).registry,
    }


@pytest.mark.parametrize(("owner", "name"), ALL)
def test_this_version_has(owner, name, holders):
    assert hasattr(holders[owner], name), f"SQLAlchemy {sqlalchemy.__version__}: {owner}.{name}"


@pytest.mark.parametrize(("owner", "name"), ALL)
def test_an_attribute_that_is_gone_is_named_with_the_version(owner, name, holders):
    internals.require(holders)
    rest = {other: object() for other in internals.ATTRIBUTES[owner] if other != name}
    with pytest.raises(LoadtestError) as raised:
        internals.require({**holders, owner: SimpleNamespace(**rest)})
    missing = f"SQLAlchemy {sqlalchemy.__version__} has no {owner}.{name}, "
    assert str(raised.value).startswith(missing)


def test_measuring_does_not_begin_without_an_attribute(engine):
    del engine.pool._recycle
    with pytest.raises(LoadtestError, match=r"has no Pool\._recycle, so "):
        measure(engine, Recorder("p1"))
    assert "connect" not in vars(engine.pool), "the pool is as it was"
    engine.pool._recycle = -1


def test_all_private_names_in_the_module_are_listed():
    tree = ast.parse(Path(internals.__file__).read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {node.arg or "" for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    private = {name for name in used if re.match("_[a-z]", name)}
    # Through getattr, and as constants.
    by_text = {"_return_conn", "_connection_record", "_invoke_creator"}
    listed = {name for _, name in ALL if name.startswith("_")}
    assert private | by_text == listed


def test_every_registered_session_is_in_a_thread_local():
    parent = scoped_session(sessionmaker())
    storage = internals.session_storage(parent)
    assert isinstance(storage, threading.local)
    session = parent()
    assert session in vars(storage).values()
    parent.remove()


def test_the_record_of_a_connection_is_that_of_its_events(engine):
    seen = []
    event.listen(engine, "checkout", lambda dbapi, record, proxy: seen.append((proxy, record)))
    connection = engine.raw_connection()
    assert seen == [(connection, internals.record_of(connection))]
    connection.close()


@pytest.mark.parametrize("queue_class", [type(QueuePool(lambda: None)._pool)])
def test_a_pool_of_our_own_takes_and_frees_through_its_own_methods(queue_class):
    done = []

    class Own(internals.CustomQueuePool, queue_class=queue_class):
        def take(self):
            done.append("take")
            return super().take()

        def free_slot(self):
            done.append("free_slot")
            return super().free_slot()

    engine = create_engine("sqlite://", poolclass=Own, pool_size=1, max_overflow=1)
    first, second = engine.connect(), engine.connect()
    assert type(engine.pool.queue) is queue_class
    second.close()
    first.close()
    assert done == ["take", "take", "free_slot"]
    engine.dispose()
    use_once(engine)
    assert done[3:] == ["take"], "the pool after dispose() is of the same class"
    engine.dispose()


def test_recycle_is_the_age_in_seconds(engine):
    assert engine.pool._recycle == 7


def test_the_queue_holds_the_records_of_idle_connections(engine):
    connection = engine.raw_connection()
    record = connection._connection_record
    assert list(engine.pool._pool.queue) == []
    connection.close()
    assert list(engine.pool._pool.queue) == [record]


def test_every_connection_is_made_by_the_creator_that_an_instance_can_shadow(engine):
    original, made = engine.pool._invoke_creator, []

    def create(record):
        made.append(record)
        return original(record)

    engine.pool._invoke_creator = create
    connection = engine.raw_connection()
    assert made == [connection._connection_record]
    connection.invalidate()
    engine.raw_connection().close()
    assert len(made) == 2


def test_every_checkout_goes_through_connect_of_the_pool(engine):
    original, taken = engine.pool.connect, []

    def connect():
        taken.append(1)
        return original()

    engine.pool.connect = connect
    engine.raw_connection().close()
    engine.connect().close()
    engine.begin().__enter__().close()
    engine.execution_options(isolation_level="AUTOCOMMIT").connect().close()
    assert len(taken) == 4


def test_every_return_goes_through_the_door_of_the_pool_with_its_record(engine):
    original, returned = engine.pool._return_conn, []

    def return_connection(record):
        returned.append(record)
        original(record)

    engine.pool._return_conn = return_connection
    connection = engine.raw_connection()
    record = connection._connection_record
    connection.close()
    assert returned == [record]
    detached = engine.raw_connection()
    detached.detach()
    assert returned == [record]
    detached.close()


def test_a_record_stays_the_same_over_reconnects_and_knows_when_it_connected(engine):
    connection = engine.raw_connection()
    record = connection._connection_record
    connected = record.last_connect_time
    connection.invalidate(soft=True)
    connection.close()
    again = engine.raw_connection()
    assert again._connection_record is record
    assert record.last_connect_time > connected
    again.close()


def test_a_pool_is_recreated_with_its_listeners_but_without_shadows(engine):
    seen = []
    event.listen(engine.pool, "checkin", lambda *_: seen.append(1))
    engine.pool.connect = engine.pool.connect
    engine.dispose()
    assert "connect" not in vars(engine.pool)
    engine.raw_connection().close()
    assert seen == [1]


def test_overflow_begins_below_zero(engine):
    assert engine.pool.overflow() == -3


def test_the_pool_pings_and_resets_through_a_dialect_of_its_own_if_it_is_given_one():
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_pre_ping=True)
    engine.connect().close()
    done = []
    engine.pool._dialect = own = copy.copy(engine.dialect)
    own.do_ping = lambda connection: done.append("ping") or True
    own.do_rollback = lambda connection: done.append("rollback")
    engine.raw_connection().close()
    assert done == ["ping", "rollback"]
    with Session(engine) as session:
        session.execute(text("SELECT 1"))
        session.rollback()
    assert done == ["ping", "rollback"] * 2, "the session's own went through the engine's dialect"
    engine.dispose()
    assert engine.pool._dialect is own


SEEN = []


class SeenArguments(CreateEnginePlugin):
    """A plugin that keeps what it gets."""

    def __init__(self, url, kwargs):
        super().__init__(url, kwargs)
        SEEN.append((url, dict(kwargs)))

    def update_url(self, url):
        return url


@pytest.mark.parametrize(
    ("make", "address"),
    [
        (create_engine, "postgresql+psycopg://"),
        (create_async_engine, "postgresql+psycopg://"),
        (create_engine, "sqlite:///shop.db"),
        (create_async_engine, "sqlite+aiosqlite:///shop.db"),
    ],
)
def test_the_dialect_and_the_usual_pool_follow_from_what_a_plugin_gets(make, address):
    plugins.register("seen", __name__, "SeenArguments")
    engine = make(address, plugins=["seen"])
    engine = getattr(engine, "sync_engine", engine)
    url, kwargs = SEEN.pop()
    dialect = internals.dialect_class(url, kwargs)
    assert dialect is type(engine.dialect)
    assert dialect.is_async is engine.dialect.is_async
    assert internals.default_pool_class(dialect, url) is type(engine.pool)
