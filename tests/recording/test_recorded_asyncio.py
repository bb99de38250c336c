"""Asyncio engines: the user of a checkout is the task."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recording.recorded import counted_in, python, runs_in

BEGIN = """
import asyncio, sys
from sqlalchemy import exc, pool, text
from sqlalchemy.ext.asyncio import create_async_engine
from loadtest.recording import record
settings = {"pool_size": 2, "max_overflow": 0, "pool_timeout": 0.3}
queue = pool.AsyncAdaptedQueuePool
engine = create_async_engine("sqlite+aiosqlite:///shop.db", poolclass=queue, **settings)
async def use(times=1, seconds=0):
    for _ in range(times):
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            await asyncio.sleep(seconds)
"""


def test_the_user_is_the_task_the_greenlet_or_the_thread(tmp_path: Path) -> None:
    script = """
import asyncio, gevent
from greenlet import getcurrent
from sqlalchemy.util import await_only, greenlet_spawn
from loadtest.recording.checkout_user import of_this_thread, task_or_greenlet

async def users():
    own, inside = asyncio.current_task(), []
    def work():
        inside.extend((task_or_greenlet(), of_this_thread(own)))
        await_only(asyncio.sleep(0))
        inside.append(task_or_greenlet())
    await greenlet_spawn(work)
    return [task_or_greenlet() is own, *(one in (own, True) for one in inside)]

print(asyncio.run(users()))
print(task_or_greenlet() is getcurrent(), gevent.spawn(task_or_greenlet).get() is getcurrent())
"""
    assert python(script, cwd=tmp_path).stdout.split("\n")[:2] == [str([True] * 4), "True False"]


def test_after_a_fork_the_users_of_one_thread_remain(tmp_path: Path) -> None:
    script = """
import asyncio
from threading import Thread
from greenlet import getcurrent, greenlet
from loadtest.recording.checkout_user import of_this_thread

async def task():
    return asyncio.current_task()

main, child = getcurrent(), greenlet(lambda: None)
elsewhere = []
thread = Thread(target=lambda: elsewhere.append(of_this_thread(main)))
thread.start()
thread.join()
print(of_this_thread(main), of_this_thread(child), *elsewhere, of_this_thread(asyncio.run(task())))
"""
    assert python(script, cwd=tmp_path).stdout == "True True False False\n"


def test_an_async_engine_is_recorded(tmp_path: Path) -> None:
    script = """
record(engine)
async def main():
    await asyncio.gather(*(use(5, 0.002) for _ in range(6)))
    await engine.dispose()
    await use(3)
    await engine.dispose()
asyncio.run(main())
"""
    said = python(BEGIN + script, cwd=tmp_path)
    assert said.stderr == ""
    (run,) = runs_in(tmp_path / "recordings")
    assert run.finished
    assert run.header.pool.poolclass == "AsyncAdaptedQueuePool"
    counters = counted_in(run)
    assert counters["checkouts"] == 33
    assert counters["opened"] == counters["closed.disposed"] == 3
    holds = [one.histograms["hold"] for one in run.intervals if "hold" in one.histograms]
    assert sum(one.count for one in holds) == 33
    # SQLAlchemy 2.0 hands a free connection over in a later turn of the event loop.
    assert 4 <= max(one.gauges["waiting"].max for one in run.intervals) <= 6
    assert max(one.gauges["in_use"].max for one in run.intervals) == 2
    assert run.intervals[-1].gauges["open"].last == 0


def test_timeouts_and_cancelled_tasks_are_recorded(tmp_path: Path) -> None:
    script = """
record(engine)
async def main():
    holders = [asyncio.create_task(use(1, 1)) for _ in range(2)]
    await asyncio.sleep(0.1)
    cancelled = asyncio.create_task(use())
    await asyncio.sleep(0.05)
    cancelled.cancel()
    try:
        await use()
    except exc.TimeoutError:
        print("timeout")
    await asyncio.gather(*holders)
    await use()
    await engine.dispose()
asyncio.run(main())
"""
    said = python(BEGIN + script, cwd=tmp_path)
    assert (said.stdout, said.stderr) == ("timeout\n", "")
    (run,) = runs_in(tmp_path / "recordings")
    counters = counted_in(run)
    assert (counters["checkouts"], counters["timeouts"], counters["checkout_errors"]) == (3, 1, 1)
    assert run.intervals[-1].gauges["waiting"].last == 0
    assert run.intervals[-1].gauges["in_use"].last == 0


@pytest.mark.parametrize("poolclass", ["NullPool", "StaticPool", "AsyncAdaptedQueuePool"])
def test_async_pools_of_other_classes(tmp_path: Path, poolclass: str) -> None:
    script = f"""
engine = create_async_engine("sqlite+aiosqlite:///shop.db", poolclass=pool.{poolclass})
record(engine)
async def main():
    for _ in range(3):
        await use()
    await engine.dispose()
asyncio.run(main())
"""
    said = python(BEGIN + script, cwd=tmp_path)
    assert said.stderr == ""
    (run,) = runs_in(tmp_path / "recordings")
    assert run.header.pool.poolclass == poolclass
    assert counted_in(run)["checkouts"] == 3


def test_ended_tasks_are_not_kept_alive(tmp_path: Path) -> None:
    script = """
import gc, weakref
record(engine)
async def main():
    task = asyncio.create_task(use())
    await task
    known = weakref.ref(task)
    del task
    await asyncio.sleep(0)
    gc.collect()
    print(known())
    await engine.dispose()
asyncio.run(main())
"""
    assert python(BEGIN + script, cwd=tmp_path).stdout == "None\n"
