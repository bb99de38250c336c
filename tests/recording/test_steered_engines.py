"""Engines of a driven application: each gets the requested pool, and is told to the tool."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from loadtest.model.pool import parse_pool
from tests.recording.driven import tool_end
from tests.recording.recorded import counted_in, python, runs_in

BEGIN = """
import asyncio, json, os, sqlite3, sys, time
import aiosqlite
from sqlalchemy import NullPool, QueuePool, create_engine, engine_from_config
from sqlalchemy.ext.asyncio import async_engine_from_config, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
URL, ASYNC = "sqlite:///shop.db", "sqlite+aiosqlite:///shop.db"
def use(engine):
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
"""

# Each engine has a line of its own, because an engine is known by its place in the code.
APPLICATION = """
from loadtest.pool.engine_settings import settings_of
class Own(QueuePool):
    pass
class OwnAsync(AsyncAdaptedQueuePool):
    pass
class Sharded(QueuePool):
    def __init__(self, creator, shards=1, **settings):
        super().__init__(creator, **settings)
SIZES = dict(pool_size=3, max_overflow=1, pool_timeout=4, pool_recycle=50, pool_use_lifo=True)
QUEUE = {"poolclass": AsyncAdaptedQueuePool}  # the default since 2.0.38
WRITTEN = {"sqlalchemy.pool_size": "6", "sqlalchemy.pool_pre_ping": "true"}
engines = {
    "nothing": create_engine(URL),
    "sizes": create_engine(URL, **SIZES),
    "NullPool": create_engine(URL, poolclass=NullPool, pool_pre_ping=True),
    "own class": create_engine(URL, poolclass=Own, pool_size=4),
    "own arguments": create_engine(URL, poolclass=Sharded, shards=2, pool_reset_on_return=None),
    "pool": create_engine(URL, pool=QueuePool(lambda: sqlite3.connect("shop.db"), pool_size=2)),
    "creator": create_engine(URL, creator=lambda: sqlite3.connect("shop.db"), pool_size=7),
    "configuration": engine_from_config({"sqlalchemy.url": URL, **WRITTEN}),
    "async nothing": create_async_engine(ASYNC),
    "async sizes": create_async_engine(ASYNC, **QUEUE, **SIZES),
    "async NullPool": create_async_engine(ASYNC, poolclass=NullPool, pool_pre_ping=True),
    "async own class": create_async_engine(ASYNC, poolclass=OwnAsync, pool_size=4),
    "async pool": create_async_engine(ASYNC, pool=AsyncAdaptedQueuePool(lambda: None)),
    "async creator": create_async_engine(ASYNC, async_creator=lambda: aiosqlite.connect("shop.db")),
    "async configuration": async_engine_from_config({"sqlalchemy.url": ASYNC, **WRITTEN}, **QUEUE),
}
async def use_async(engine):
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SELECT 1")
    await engine.dispose()
found = {}
for name, engine in engines.items():
    asynchronous = name.startswith("async")
    found[name] = settings_of((engine.sync_engine if asynchronous else engine).pool)
    if name != "async pool":
        asyncio.run(use_async(engine)) if asynchronous else use(engine)
print(json.dumps(found))
"""
POOLS = {
    "20+0": "20+0",
    "3000+inf": "3000+inf",
    "nullpool": "poolclass=NullPool",
    "fair": "poolclass=FairPool,pool_size=20,max_overflow=0",
    "as-is": "as-is",
    "as-is with a size": "as-is,pool_size=9",
    "timeout": "as-is,pool_timeout=2",
    "all": "poolclass=QueuePool,pool_size=8,max_overflow=2,pool_timeout=2,pool_recycle=60,"
    "pool_pre_ping=true,pool_use_lifo=true,pool_reset_on_return=none",
}
_OF_QUEUES = {"pool_size", "max_overflow", "pool_timeout", "pool_use_lifo"}

Settings = dict[str, Any]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Settings]:
    """The pools of the engines of an application that nothing drives."""
    said = python(BEGIN + APPLICATION, cwd=tmp_path_factory.mktemp("own"))
    found: dict[str, Settings] = json.loads(said.stdout)
    return found


def asked_for(text: str) -> Settings:
    """The settings of a pool as orders name them."""
    return parse_pool(text).named


def as_requested(text: str, own: Settings, name: str) -> Settings:
    """The pool that the tool expects of an engine, by the settings that the application has."""
    settings = dict(parse_pool(text).on(own))
    del settings["name"], settings["isolation_level"]
    if settings["poolclass"] == "QueuePool" and name.startswith("async"):
        settings["poolclass"] = "AsyncAdaptedQueuePool"
    if settings["poolclass"] == "NullPool":
        settings = {key: value for key, value in settings.items() if key not in _OF_QUEUES}
        settings |= {"pool_size": None, "max_overflow": None}
    return settings


def is_refused(pool: str, name: str) -> bool:
    """Whether an engine cannot get a pool: it has a pool as an object, or threads have to wait."""
    given = name.endswith("pool") and pool != "as-is"
    return given or (pool == "fair" and name.startswith("async"))


@pytest.mark.parametrize("pool", POOLS)
def test_every_kind_of_engine_gets_the_pool(
    tmp_path: Path, own: Mapping[str, Settings], pool: str
) -> None:
    text = POOLS[pool]
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool=asked_for(text))
        found = json.loads(python(BEGIN + APPLICATION, cwd=tmp_path, env=env).stdout)
        messages = tool.messages()
    expected = {
        name: settings if is_refused(pool, name) else as_requested(text, settings, name)
        for name, settings in own.items()
    }
    assert found == expected
    assert [one["set"] for one in messages] == list(expected.values())
    assert [bool(one["refused"]) for one in messages] == [is_refused(pool, name) for name in own]
    assert [one["async"] for one in messages] == [name.startswith("async") for name in own]
    assert [one["creator"] for one in messages] == [name.endswith("creator") for name in own]
    assert {one["own"]["poolclass"] for one in messages} >= {"NullPool", "Own", "Sharded"}


def test_a_refusal_is_told_with_its_reason_and_not_raised(tmp_path: Path) -> None:
    script = """
class Plain(QueuePool):
    def __init__(self, creator, dialect=None, pool_size=5):
        super().__init__(creator, pool_size=pool_size)
use(create_engine(URL, pool=QueuePool(lambda: sqlite3.connect("shop.db"))))
use(create_engine(URL, poolclass=Plain))
"""
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool=asked_for("20+0"))
        said = python(BEGIN + script, cwd=tmp_path, env=env)
        given, plain = tool.messages()
    assert said.stderr == ""
    assert given["refused"].startswith("it gets its pool as an object (pool=...), so its settings")
    assert given["own"] == {"poolclass": "QueuePool"}
    assert plain["refused"] == "its pool class Plain does not take max_overflow"
    assert plain["set"]["pool_size"] == 5


def test_a_message_says_which_engine_it_is(tmp_path: Path) -> None:
    script = """
def make():
    return create_engine(URL + "?timeout=3", pool_size=3, pool_logging_name="orders")
use(make())
print(os.getpid())
"""
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool={"pool_size": 20})
        said = python(BEGIN + script, cwd=tmp_path, env=env)
        (message,) = tool.messages()
    assert message.pop("set")["pool_size"] == 20
    line = f"{BEGIN}{script}".splitlines().index("def make():") + 2
    assert message == {
        "kind": "engine",
        "pid": int(said.stdout),
        "name": "orders",
        "recording": "orders",
        "place": f"__main__:{line} make",
        "url": "sqlite:///shop.db?timeout=3",
        "own": {"poolclass": "QueuePool", "pool_size": 3},
        "async": False,
        "creator": False,
        "refused": "",
    }
    (run,) = runs_in(tmp_path / "recordings")
    assert (run.pool_name, run.header.pool.pool_size) == ("orders", 20)


SEVERAL = """
shop = create_engine(URL, pool_size=3)
audit = create_engine(URL, pool_size=2)
for _ in range(3):
    logs = create_engine("sqlite:///logs.db", pool_size=2)
    use(logs)
for engine in (shop, audit):
    use(engine)
"""


@pytest.mark.parametrize(
    ("engine", "sizes"),
    [
        ("", [20, 20, 20]),
        ("shop", [20, 20, 2]),
        ("logs", [3, 2, 20]),
        ("__main__:13", [3, 20, 2]),
        ("__main__:13 <module>", [3, 20, 2]),
        ("orders", [3, 2, 2]),
    ],
)
def test_the_engine_that_is_meant_has_this_name_or_place(
    tmp_path: Path, engine: str, sizes: list[int]
) -> None:
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool={"pool_size": 20}, engine=engine)
        python(BEGIN + SEVERAL, cwd=tmp_path, env=env)
        messages = tool.messages()
    assert [one["name"] for one in messages] == ["shop", "shop", "logs"], "an engine is told once"
    assert [one["set"]["pool_size"] for one in messages] == sizes
    assert [one["own"]["pool_size"] for one in messages] == [3, 2, 2]


def test_the_pool_that_is_meant_has_a_recording_of_its_own(tmp_path: Path) -> None:
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool={"pool_size": 3}, engine="__main__:13")
        python(BEGIN + SEVERAL, cwd=tmp_path, env=env)
        shop, audit, _ = tool.messages()
    assert shop["set"] == audit["set"]
    recordings = {run.pool_name: counted_in(run) for run in runs_in(tmp_path / "recordings")}
    assert recordings[shop["recording"]]["checkouts"] == 1
    assert recordings[audit["recording"]]["checkouts"] == 1


def test_a_plugin_in_the_url_and_settings_of_the_application_change_nothing(
    tmp_path: Path,
) -> None:
    script = f"""
from loadtest.recording import record
from sqlalchemy.dialects import plugins
plugins.register("loadtest", "loadtest.recording.engine_plugin", "RecordingPlugin")
engine = create_engine(URL + "?plugin=loadtest&loadtest_folder={tmp_path}/elsewhere", pool_size=3)
record(engine, folder="{tmp_path}/elsewhere", on="off")
use(engine)
print(engine.url)
"""
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool=asked_for("20+0"))
        said = python(BEGIN + script, cwd=tmp_path, env=env)
        (message,) = tool.messages()
    assert (said.stdout, said.stderr) == ("sqlite:///shop.db\n", "")
    assert message["own"] == {"poolclass": "QueuePool", "pool_size": 3}
    assert not (tmp_path / "elsewhere").exists()
    (run,) = runs_in(tmp_path / "recordings")
    assert counted_in(run)["checkouts"] == 1
    assert (run.header.pool.pool_size, run.header.pool.max_overflow) == (20, 0)


def test_an_engine_that_the_plugin_does_not_see_is_recorded_where_the_tool_looks(
    tmp_path: Path,
) -> None:
    script = f"""
from sqlalchemy import Engine
from loadtest.recording import record
made = create_engine("sqlite:///other.db")
engine = Engine(QueuePool(lambda: sqlite3.connect("shop.db")), made.dialect.__class__(), made.url)
record(engine, folder="{tmp_path}/elsewhere")
engine.raw_connection().close()
"""
    with tool_end(tmp_path) as tool:
        python(BEGIN + script, cwd=tmp_path, env=tool.environment())
    assert not (tmp_path / "elsewhere").exists()
    assert counted_in(*runs_in(tmp_path / "recordings"))["checkouts"] == 1


class TestRedirect:
    """The host and port of the orders replace those of the URL."""

    def messages(self, tmp_path: Path, *lines: str, **orders: Any) -> list[Settings]:
        """What engines are told with a redirect; the lines make one each."""
        with tool_end(tmp_path) as tool:
            env = tool.environment(redirect=("127.0.0.1", 4), **orders)
            script = "\n".join([BEGIN, 'SHOP = "mysql+pymysql://u:secret@db1:3307/shop"', *lines])
            said = python(script, cwd=tmp_path, env=env)
            assert said.stderr == ""
            return tool.messages()

    def test_engines_connect_there(self, tmp_path: Path) -> None:
        told = self.messages(
            tmp_path,
            "create_engine(SHOP)",
            "create_async_engine(SHOP.replace('py', 'aio') + '?a=b')",
        )
        assert [one["url"] for one in told] == [
            "mysql+pymysql://u:secret@127.0.0.1:4/shop",
            "mysql+aiomysql://u:secret@127.0.0.1:4/shop?a=b",
        ]
        assert [one["refused"] for one in told] == ["", ""]

    def test_only_the_engine_that_is_meant_does(self, tmp_path: Path) -> None:
        other = "create_engine(SHOP + '_audit')"
        told = self.messages(tmp_path, "create_engine(SHOP)", other, engine="shop_audit")
        assert [one["url"].partition("@")[2] for one in told] == [
            "db1:3307/shop",
            "127.0.0.1:4/shop_audit",
        ]

    def test_an_address_beside_the_url_is_refused(self, tmp_path: Path) -> None:
        told = self.messages(
            tmp_path,
            "create_engine(SHOP, creator=lambda: None)",
            "create_engine(SHOP + '?unix_socket=/run/mysqld.sock')",
            "create_engine(SHOP, connect_args={'port': 3308})",
            "create_engine(URL)",
            pool={"pool_size": 20},
        )
        begin = "faults need the address in its URL, "
        assert [one["refused"].removeprefix(begin) for one in told] == [
            "but it connects by creator=...",
            "but it connects by unix_socket=...",
            "but it connects by port=...",
            "which has no host",
        ]
        assert [one["set"]["pool_size"] for one in told] == [5, 5, 5, 5]
        assert "127.0.0.1" not in str(told)


def test_without_orders_nothing_of_this_is_imported(tmp_path: Path) -> None:
    script = """
use(create_engine(URL))
print([name for name in sys.modules if "steering" in name])
"""
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool=asked_for("20+0"))
        del env["LOADTEST_DRIVEN"]
        said = python(BEGIN + script, cwd=tmp_path, env=env)
        assert tool.messages() == []
    assert said.stdout == "[]\n"
    (run,) = runs_in(tmp_path / "recordings")
    assert run.header.pool.pool_size == 5


def test_a_driven_application_imports_little(tmp_path: Path) -> None:
    script = (
        BEGIN.replace("import aiosqlite\n", "")
        + """
use(create_engine(URL))
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    )
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool=asked_for("20+0"))
        said = python(script, cwd=tmp_path, env=env)
    imported = set(json.loads(said.stdout))
    assert "loadtest" in imported
    assert not imported & {"pydantic", "typer", "locust", "gevent", "hdrh", "msgspec", "psutil"}


@pytest.mark.parametrize("orders", ["", "{}", '{"tell": 3, "pool": []}', "no JSON"])
def test_orders_that_make_no_sense_do_not_keep_the_application_from_starting(
    tmp_path: Path, orders: str
) -> None:
    with tool_end(tmp_path) as tool:
        env = {**tool.environment(), "LOADTEST_DRIVEN": orders}
        said = python(BEGIN + "use(create_engine(URL)); print('done')", cwd=tmp_path, env=env)
    assert said.stdout == "done\n"
