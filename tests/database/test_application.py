"""An application is found by name, measured as it is, and refused with words where it cannot be."""

import sys
from itertools import count

import pymysql
import pytest
from sqlalchemy import QueuePool, StaticPool, create_engine, event, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import SingletonThreadPool

from loadtest.database.application import find_application
from loadtest.model.errors import UsageError
from loadtest.model.pool import PoolConfig, parse_pool
from loadtest.pool.engine_settings import settings_of
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder

URL = "mysql+pymysql://me:s3cr3t@127.0.0.1:9/x"
MODULE = """
import sqlalchemy
from sqlalchemy import *
from sqlalchemy.orm import *
URL = {url!r}
engine = create_engine(URL, connect_args={{"ssl_disabled": True}}, pool_size=3, max_overflow=1)
class Own(Session):
    pass
"""
_number = count()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a module with an engine and more; its name is one that no other test has."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(more="", url=URL):
        name = f"application{next(_number)}"
        (tmp_path / f"{name}.py").write_text(MODULE.format(url=str(url)) + more)
        return name

    return write


@pytest.fixture
def engine_of(written, tmp_path, url):
    """Finds the engine of a module on the real database."""
    made = []

    def find_it(more="", name="engine"):
        module = written(more, url.render_as_string(hide_password=False))
        made.append(find_application("", f"{module}:{name}", [tmp_path]))
        return made[-1]

    yield find_it
    for application in made:
        application.engine.dispose()


def refused(tmp_path, session="", engine=""):
    with pytest.raises(UsageError) as raised:
        find_application(session, engine, [tmp_path])
    assert "s3cr3t" not in str(raised.value)
    return str(raised.value)


# ---- What can be found


def test_nothing_is_found_where_nothing_is_named():
    assert find_application("", "") is None


def test_an_engine_brings_its_address_and_ordinary_sessions(written, tmp_path):
    module = written()
    found = find_application("", f"{module}:engine", [tmp_path])
    assert found.name == f"{module}:engine"
    assert found.engine is sys.modules[module].engine
    assert found.url.password == "s3cr3t"
    assert found.parent.session_factory.kw["bind"] is found.engine
    assert not found.shared


def test_a_scoped_session_is_the_parent_itself(written, tmp_path):
    module = written("class db: session = scoped_session(sessionmaker(engine, class_=Own))")
    found = find_application(f"{module}:db.session", "", [tmp_path])
    assert found.parent is sys.modules[module].db.session
    assert found.engine is sys.modules[module].engine
    assert found.shared


def test_a_sessionmaker_makes_the_children_of_a_parent_of_ours(written, tmp_path):
    module = written("Local = sessionmaker(engine, class_=Own, expire_on_commit=False)")
    found = find_application(f"{module}:Local", "", [tmp_path])
    session = found.parent()
    assert type(session).__name__ == "Own"
    assert session.expire_on_commit is False
    assert found.engine is sys.modules[module].engine
    assert not found.shared


@pytest.mark.parametrize(
    "more",
    [
        "copy = engine.execution_options(isolation_level='AUTOCOMMIT')\nS = sessionmaker(copy)",
        "S = sessionmaker(binds={Own: engine, Session: engine.execution_options(a=1)})",
    ],
)
def test_copies_of_an_engine_are_one(written, tmp_path, more):
    module = written(more)
    found = find_application(f"{module}:S", "", [tmp_path])
    assert found.engine.pool is sys.modules[module].engine.pool


# ---- What is refused


def test_what_is_not_there_is_told_with_what_to_do(written, tmp_path):
    module = written("S = sessionmaker(engine)\nimport application_helper_that_is_missing")
    assert refused(tmp_path, engine="no_such_app.db:engine") == (
        "--engine no_such_app.db:engine: there is no module no_such_app: start loadtest in the "
        "folder that contains no_such_app/, or add that folder to PYTHONPATH"
    )
    problem = refused(tmp_path, engine=f"{module}:engine")
    assert f"{module}.py, line 10: ModuleNotFoundError" in problem
    assert problem.endswith("No module named 'application_helper_that_is_missing'")
    module = written("S = sessionmaker(engine)")
    assert refused(tmp_path, f"{module}:Session2") == (
        f"--session {module}:Session2: {module} has no Session2: use --session {module}:S"
    )
    assert refused(tmp_path, engine=f"{module}:db").endswith(f"use --engine {module}:engine")


@pytest.mark.parametrize("more", ["raise SystemExit('set SHOP first')", "1 / 0", "x = = 1"])
def test_an_application_that_cannot_be_imported_is_told_with_its_place(written, tmp_path, more):
    module = written(more)
    problem = refused(tmp_path, engine=f"{module}:engine")
    kind = {"r": "SystemExit: set SHOP first", "1": "ZeroDivisionError", "x": "SyntaxError"}
    assert kind[more[0]] in problem
    assert module in problem


@pytest.mark.parametrize("name", ["myapp", "myapp:", ":engine", "myapp/db.py", "my/app:engine"])
def test_a_name_is_a_module_and_what_is_in_it(tmp_path, name):
    assert refused(tmp_path, engine=name).endswith(
        ": write MODULE:NAME with dots in the module, like myapp.db:Session"
    )


@pytest.mark.parametrize(
    ("option", "more", "problem"),
    [
        ("engine", "x = 3", "is an int, not an Engine"),
        (
            "engine",
            "x = sessionmaker(engine)",
            "x is a sessionmaker, not an Engine: use --session ",
        ),
        ("engine", "def x(): return engine", ":x is a function, not an Engine: use --engine "),
        ("engine", "x = create_engine('sqlite://')", "it is an engine for sqlite"),
        ("session", "x = engine", "x is an Engine, not a scoped_session or sessionmaker: use --"),
        ("session", "x = Session(engine)", "is a Session, not a scoped_session"),
        ("session", "x = Session", "is the class Session, not a scoped_session"),
        ("session", "x = scoped_session(sessionmaker())", "it has no engine after the import"),
        ("session", "x = scoped_session(lambda: 1 / 0)", "it cannot make a session: ZeroDivisi"),
        (
            "session",
            "x = sessionmaker(engine, binds={Own: create_engine(URL)})",
            "its sessions choose among several engines",
        ),
        (
            "session",
            "class Routing(Session):\n    def get_bind(self, **_): return engine\n"
            "x = sessionmaker(class_=Routing)",
            "its sessions choose among several engines",
        ),
    ],
)
def test_what_cannot_be_measured_is_told_why(written, tmp_path, option, more, problem):
    assert problem in refused(tmp_path, **{option: f"{written(more)}:x"})


@pytest.mark.parametrize(
    ("option", "more"),
    [
        ("engine", "x = asynchronous"),
        ("engine", "x = asynchronous.sync_engine"),
        ("session", "x = asyncio.async_sessionmaker()"),
        ("session", "x = asyncio.async_scoped_session(asyncio.async_sessionmaker(), id)"),
        ("session", "x = sessionmaker(class_=asyncio.AsyncSession)"),
    ],
)
def test_what_is_async_is_refused(written, tmp_path, option, more):
    before = (
        "import pymysql\nfrom sqlalchemy.ext import asyncio\n"
        "asynchronous = asyncio.create_async_engine('mysql+aiomysql://', module=pymysql)\n"
    )
    assert "is async, and loadtest measures synchronous engines" in refused(
        tmp_path, **{option: f"{written(before + more)}:x"}
    )


def test_only_one_of_both_can_be_named(tmp_path):
    assert "give only one of them" in refused(tmp_path, "a:b", "c:d")


def test_a_pool_that_cannot_be_made_again_is_refused(written, tmp_path):
    module = written(
        "class Odd(QueuePool):\n    def recreate(self): raise NotImplementedError\n"
        "odd = create_engine(URL, poolclass=Odd)"
    )
    assert refused(tmp_path, engine=f"{module}:odd").endswith("add recreate()")


# ---- Its pool, as it is and replaced


@pytest.mark.server
def test_its_own_pool_is_described_as_it_is(engine_of):
    found = engine_of("engine = create_engine(URL, pool_size=7, max_overflow=-1, pool_recycle=9)")
    described = found.described(parse_pool("as-is"))
    assert (
        described.model_dump()
        == PoolConfig(name="as-is", pool_size=7, max_overflow=-1, pool_recycle=9).model_dump()
    )
    assert described.most_connections is None
    assert found.described(parse_pool("20+0")) == parse_pool(
        "pool_size=20,max_overflow=0,pool_recycle=9"
    )


@pytest.mark.server
def test_a_pool_of_any_class_is_described(engine_of):
    found = engine_of(
        "from sqlalchemy import StaticPool\ne = create_engine(URL, poolclass=StaticPool)", "e"
    )
    described = found.described(parse_pool("mine:as-is"))
    assert (described.name, described.poolclass) == ("mine", "StaticPool")
    assert (described.most_connections, described.kept_connections) == (1, 1)
    assert described.connections_for(50) == 50, "users that miss it at the same time open one each"


@pytest.mark.server
def test_as_is_and_replaced_take_turns_and_are_measured_once_each(engine_of):
    found = engine_of()
    connected = []
    event.listen(found.engine, "connect", lambda *_: connected.append(1))
    sizes, counted = [], []
    for pool in ("as-is", "20+0", "as-is"):
        found.install(parse_pool(pool))
        recorder = Recorder()
        measure(found.engine, recorder)
        with found.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        sizes.append((type(found.engine.pool), found.engine.pool.size()))
        queries = sum(len(use.queries) for use in recorder.uses.taken().values())
        counters = recorder.cut("measured").counters
        counted.append((counters["checkouts"], counters["opened"], queries))
    assert sizes == [(QueuePool, 3), (QueuePool, 20), (QueuePool, 3)]
    assert counted[1:] == [(1, 1, 1), (1, 1, 1)]
    assert counted[0][:2] == (1, 1)
    assert len(connected) == 3


@pytest.mark.server
def test_measuring_ends_for_a_recorder_whose_run_is_over(engine_of):
    found = engine_of()
    found.install(parse_pool("as-is"))
    first = Recorder()
    measure(found.engine, first)
    found.install(parse_pool("as-is"))
    before = dict(first.cut("measured").counters)
    found.engine.connect().close()
    after = first.cut("measured").counters
    assert before.get("checkouts", 0) == after["checkouts"] == 0
    assert "do_execute" not in str(getattr(found.engine.dialect.do_execute, "shadowed", ""))


@pytest.mark.server
def test_what_else_the_engine_is_stays_when_its_pool_is_replaced(engine_of):
    found = engine_of(
        "from sqlalchemy import event\n"
        "e = create_engine(URL, connect_args={'ssl_disabled': True, 'program_name': 'shop'},\n"
        "                  poolclass=StaticPool, isolation_level='READ COMMITTED')\n"
        "e = e.execution_options(shop=True)\n"
        "@event.listens_for(e, 'connect')\n"
        "def zone(connection, _):\n"
        "    connection.cursor().execute(\"SET time_zone = '+05:00'\")\n",
        "e",
    )
    assert isinstance(found.engine.pool, StaticPool)
    found.install(parse_pool("pool_size=2,max_overflow=0,pool_pre_ping=true"))
    with Session(found.engine) as session:
        zone = session.scalar(text("SELECT @@time_zone"))
        isolation = session.connection().get_isolation_level()
        assert session.connection().get_execution_options()["shop"] is True
        raw = session.connection().connection.dbapi_connection
    assert (zone, isolation) == ("+05:00", "READ COMMITTED")
    assert raw._connect_attrs["program_name"] == "shop"
    assert found.engine.pool.size() == 2


@pytest.mark.server
def test_connections_from_the_import_are_let_go(engine_of):
    found = engine_of("with engine.connect(): pass\nearlier = engine.pool")
    assert found.engine.pool.checkedin() == 0
    module = sys.modules[found.name.partition(":")[0]]
    assert module.earlier.checkedin() == 1, "another process may go on using it"
    module.earlier.dispose()


@pytest.mark.server
def test_others_connect_as_the_application_does(written, tmp_path, url):
    module = written(
        "import pymysql\n"
        f"def connect(): return pymysql.connect(host='127.0.0.1', port={url.port}, "
        f"user={url.username!r}, password={url.password!r}, database={url.database!r},"
        " ssl_disabled=True)\n"
        "e = create_engine('mysql+pymysql://', creator=connect)\n"
    )
    found = find_application("", f"{module}:e", [tmp_path])
    beside = create_engine(found.url, **found.connecting)
    with beside.connect() as connection:
        assert connection.scalar(select(1)) == 1
    beside.dispose()
    assert found.connecting["module"] is pymysql


@pytest.mark.server
@pytest.mark.parametrize(
    ("more", "asked", "kept"),
    [
        ("pool_pre_ping=True, pool_recycle=280, pool_size=3", "10+0", QueuePool),
        ("pool_pre_ping=True, pool_recycle=280, poolclass=Greedy", "10+0", "Greedy"),
        ("pool_pre_ping=True, pool_recycle=280, poolclass=StaticPool", "as-is", StaticPool),
        (
            "pool_pre_ping=True, pool_recycle=280, poolclass=SingletonThreadPool, pool_size=9",
            "pool_reset_on_return=none",
            SingletonThreadPool,
        ),
    ],
)
def test_a_new_pool_has_the_class_and_the_settings_that_are_not_named(engine_of, more, asked, kept):
    found = engine_of(
        "from sqlalchemy.pool import *\nclass Greedy(QueuePool):\n    pass\n"
        f"e = create_engine(URL, connect_args={{'ssl_disabled': True}}, {more})",
        "e",
    )
    found.install(parse_pool(asked).of_application())
    pool = found.engine.pool
    assert kept in (type(pool), type(pool).__name__)
    settings = settings_of(pool)
    assert (settings["pool_pre_ping"], settings["pool_recycle"]) == (True, 280)
    if asked == "10+0":
        assert (settings["pool_size"], settings["max_overflow"]) == (10, 0)
    if kept is SingletonThreadPool:
        assert (pool.size, settings["pool_reset_on_return"]) == (9, "none")
    with found.engine.connect() as connection:
        assert connection.scalar(select(1)) == 1
