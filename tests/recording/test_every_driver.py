"""With every driver and pool class a recording counts what pool events and the server count."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, text

from loadtest.runfile.reader import Run
from tests.recording.private_postgresql import PrivatePostgresql
from tests.recording.recorded import counted_in, python, runs_in

# What a pool does: many short checkouts, a timeout, an invalidated connection, a detached one.
BEGIN = """
import asyncio, json, sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from sqlalchemy import create_engine, event, exc, text
from sqlalchemy.pool import (
    AsyncAdaptedQueuePool, NullPool, QueuePool, SingletonThreadPool, StaticPool
)
from sqlalchemy.ext.asyncio import create_async_engine
from loadtest.recording import record

class OwnPool(QueuePool):
    pass

QUEUES = QueuePool, AsyncAdaptedQueuePool
counts = {}

def made(create, address, poolclass):
    name = poolclass.__name__
    limits = {"pool_size": 2, "max_overflow": 1, "pool_timeout": 0.2}
    settings = limits if issubclass(poolclass, QUEUES) else {}
    engine = create(address, poolclass=poolclass, pool_logging_name=name, **settings)
    pool, counted = engine.pool, counts.setdefault(name, Counter())
    def count(event_name, counter):
        event.listen(pool, event_name, lambda *_: counted.update([counter]))
    for event_name, counter in {"checkout": "checkouts", "connect": "opened", "close": "closed",
                                "close_detached": "closed"}.items():
        count(event_name, counter)
    record(engine)
    return engine, counted
"""
SYNCHRONOUS = """
def use(engine, counted, times=1):
    for _ in range(times):
        try:
            with engine.begin() as connection:
                assert connection.execute(text("SELECT 41 + 1")).scalar() == 42
        except exc.TimeoutError:
            counted["timeouts"] += 1

def overload(engine, counted):
    held = [engine.connect() for _ in range(3)]
    use(engine, counted)
    for connection in held:
        connection.close()

def end(engine, counted):
    with engine.connect() as connection:
        connection.invalidate()
    with engine.connect() as connection:
        connection.detach()
    use(engine, counted)
    engine.dispose()

for poolclass in (QueuePool, NullPool, StaticPool, SingletonThreadPool, OwnPool):
    engine, counted = made(create_engine, ADDRESS, poolclass)
    if poolclass is StaticPool:
        use(engine, counted, 20)
    else:
        with ThreadPoolExecutor(5) as threads:
            list(threads.map(lambda _: use(engine, counted, 5), range(5)))
    if issubclass(poolclass, QUEUES):
        overload(engine, counted)
    end(engine, counted)
print(json.dumps(counts))
"""
ASYNCHRONOUS = """
async def use(engine, counted, times=1):
    for _ in range(times):
        try:
            async with engine.begin() as connection:
                assert (await connection.execute(text("SELECT 41 + 1"))).scalar() == 42
        except exc.TimeoutError:
            counted["timeouts"] += 1

async def overload(engine, counted):
    held = [await engine.connect() for _ in range(3)]
    await use(engine, counted)
    for connection in held:
        await connection.close()

async def end(engine, counted):
    async with engine.connect() as connection:
        await connection.invalidate()
    await use(engine, counted)
    await engine.dispose()

async def main():
    for poolclass in (AsyncAdaptedQueuePool, NullPool, StaticPool):
        engine, counted = made(create_async_engine, ADDRESS, poolclass)
        if poolclass is StaticPool:
            await use(engine, counted, 20)
        else:
            await asyncio.gather(*(use(engine, counted, 5) for _ in range(5)))
        if issubclass(poolclass, QUEUES):
            await overload(engine, counted)
        await end(engine, counted)

asyncio.run(main())
print(json.dumps(counts))
"""
POOLS = {
    SYNCHRONOUS: {"QueuePool", "NullPool", "StaticPool", "SingletonThreadPool", "OwnPool"},
    ASYNCHRONOUS: {"AsyncAdaptedQueuePool", "NullPool", "StaticPool"},
}


def counters_of(run: Run) -> Counter[str]:
    """The counters that pool events count, too."""
    counted = counted_in(run)
    closed = sum(count for name, count in counted.items() if name.startswith("closed."))
    names = ("checkouts", "opened", "timeouts")
    return +Counter({"closed": closed, **{name: counted[name] for name in names}})


def compare(folder: Path, script: str, address: URL) -> int:
    """Compare a recording with the events of its pools; the connections that were opened."""
    text = address.render_as_string(hide_password=False)
    said = python(f"{BEGIN}\nADDRESS = {text!r}\n{script}", cwd=folder)
    assert said.stderr == ""
    runs = {run.pool_name: run for run in runs_in(folder / "recordings")}
    events = {name: Counter(counts) for name, counts in json.loads(said.stdout).items()}
    assert {name: counters_of(run) for name, run in runs.items()} == events
    assert events.keys() == POOLS[script]
    drivers = {run.told["recording"]["database"] for run in runs.values()}
    assert drivers == {address.drivername.removesuffix("_async")}
    assert not any(address.password and address.password in str(run.told) for run in runs.values())
    for name in POOLS[script]:
        assert events[name]["checkouts"] > 20
        assert events[name]["opened"] == events[name]["closed"] > 0
        assert (events[name]["timeouts"] > 0) == ("Queue" in name or name == "OwnPool")
    return sum(counts["opened"] for counts in events.values())


@pytest.mark.parametrize(
    ("driver", "script"), [("pysqlite", SYNCHRONOUS), ("aiosqlite", ASYNCHRONOUS)]
)
def test_sqlite(tmp_path: Path, driver: str, script: str) -> None:
    compare(tmp_path, script, URL.create(f"sqlite+{driver}", database="shop.db"))


@pytest.mark.database
@pytest.mark.parametrize(
    ("driver", "script"),
    [
        ("pymysql", SYNCHRONOUS),
        ("mysqldb", SYNCHRONOUS),
        ("mysqlconnector", SYNCHRONOUS),
        ("aiomysql", ASYNCHRONOUS),
        ("asyncmy", ASYNCHRONOUS),
    ],
)
def test_mariadb_and_mysql(
    tmp_path: Path, url: URL, admin: Engine, driver: str, script: str
) -> None:
    with admin.connect() as connection:

        def connections() -> int:
            status = connection.execute(text("SHOW GLOBAL STATUS LIKE 'Connections'"))
            return int(status.one()[1])

        before = connections()
        plain = {"ssl_disabled": "true"} if driver == "pymysql" else {}  # TLS contexts take long
        opened = compare(tmp_path, script, url.set(drivername=f"mysql+{driver}", query=plain))
        assert opened == connections() - before


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("driver", "script"),
    [("psycopg", SYNCHRONOUS), ("psycopg_async", ASYNCHRONOUS), ("asyncpg", ASYNCHRONOUS)],
)
def test_postgresql(
    tmp_path: Path, postgresql: PrivatePostgresql, driver: str, script: str
) -> None:
    before = postgresql.connections
    opened = compare(tmp_path, script, postgresql.url.set(drivername=f"postgresql+{driver}"))
    assert opened == postgresql.connections - before
