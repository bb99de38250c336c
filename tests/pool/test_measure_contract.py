"""The private names that `measure` reads are there in this SQLAlchemy and mean what it believes."""

import ast
import copy
import re
from pathlib import Path

import pytest
from sqlalchemy import QueuePool, create_engine, event, text
from sqlalchemy.orm import Session

from loadtest.pool import measure


@pytest.fixture
def engine():
    made = create_engine("sqlite://", poolclass=QueuePool, pool_size=3, pool_recycle=7)
    yield made
    made.dispose()


def test_the_docstring_names_every_private_name_of_sqlalchemy_that_is_used():
    tree = ast.parse(Path(measure.__file__).read_text(encoding="utf-8"))
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and re.match("_[a-z]", node.attr)
    }
    used |= {
        str(call.args[1].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "_shadow"
        if isinstance(call.args[1], ast.Constant) and str(call.args[1].value).startswith("_")
    }
    *_, listed = measure.__doc__.split("The private names used")
    assert used - own == {name.split(".")[0] for name in re.findall(r"`(_[^`]+)`", listed)}


def test_two_files_of_this_package_alone_read_private_names_of_the_pool():
    folder = Path(measure.__file__).parent.parent
    private = re.compile(
        r"\._(invoke_creator|return_conn|dialect|connection_record|recycle|pool\.queue"
        r"|creator|pre_ping|reset_on_return|max_overflow|orig_logging_name)\b"
    )
    others = [
        path
        for path in folder.rglob("*.py")
        if path.name not in ("measure.py", "engine_settings.py")
        and private.search(path.read_text(encoding="utf-8"))
    ]
    assert others == []


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
