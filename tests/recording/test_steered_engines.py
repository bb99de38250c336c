"""Engines of a driven application: each kind gets the requested pool, or is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from loadtest.model.pool import parse_pool
from tests.recording.driven import tool_end
from tests.recording.recorded import python

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
    "nullpool": "poolclass=NullPool",
    "fair": "poolclass=FairPool,pool_size=20,max_overflow=0",
    "as-is": "as-is",
    "as-is with a size": "as-is,pool_size=9",
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


# Engines that do not connect to the address of their URL.
OWN_WAY = ("creator", "pool")


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
    assert [one["by_url"] for one in messages] == [not name.endswith(OWN_WAY) for name in own]
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
