"""The places of applications in a process of their own, and where their holders are."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from pathlib import Path

from loadtest.model.interval import Interval
from loadtest.model.place_use import PlaceUse
from tests.recording.recorded import python, runs_in

THREADS = """
import threading, time
from sqlalchemy import QueuePool, create_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from loadtest.recording import record
engine = create_engine("sqlite:///shop.db", poolclass=QueuePool, pool_size=1, max_overflow=0)
record(engine)
Session = scoped_session(sessionmaker(engine))
"""
ASYNCIO = """
import asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from loadtest.recording import record
engine = create_async_engine("sqlite+aiosqlite:///shop.db")
record(engine)
Session = async_sessionmaker(engine)
"""
ORDERS = """
import time
from sqlalchemy import text

def order(session):
    session.scalar(text("SELECT 1"))
    pay()

def pay():
    time.sleep(1.2)
"""
ORDERS_OF_ASYNCIO = """
import asyncio
from sqlalchemy import text

async def order(session):
    await session.scalar(text("SELECT 1"))
    async for _ in answers():
        pass

async def answers():
    await pay()
    yield

async def pay():
    await asyncio.sleep(1.2)
"""


def together(folder: Path) -> Interval:
    """Everything that was recorded, as one interval."""
    parts = [interval for run in runs_in(folder / "recordings") for interval in run.intervals]
    return reduce(Interval.then, parts)


def recorded(folder: Path, script: str, orders: str = ORDERS) -> dict[str, PlaceUse]:
    """The places of a script that uses the module `orders`."""
    (folder / "orders.py").write_text(orders)
    said = python(script, cwd=folder)
    assert said.stderr == ""
    return together(folder).places


def mostly_at(use: PlaceUse) -> str:
    """The line at which holds were found most often; a second may also end elsewhere."""
    return use.idle_at.most_common(1)[0][0]


def test_a_thread_has_a_place_and_waits_at_a_line(tmp_path: Path) -> None:
    script = """
import orders
def work():
    orders.order(Session)
    Session.remove()
threads = [threading.Thread(target=work) for _ in range(2)]
for one in threads: one.start()
for one in threads: one.join()
"""
    places = recorded(tmp_path, THREADS + script)
    assert places.keys() == {"orders.py:6 order"}
    use = places["orders.py:6 order"]
    assert (use.checkouts, use.holds, use.queries) == (2, 2, 2)
    assert use.needed < use.hold / 10
    assert mostly_at(use) == "orders.py:10 pay"
    assert use.held == 1
    (shortage,) = together(tmp_path).shortages
    assert shortage.place == "orders.py:6 order"
    assert [one.place for one in shortage.holders] == ["orders.py:6 order"]


def test_an_asyncio_task_has_a_place_and_waits_at_a_line(tmp_path: Path) -> None:
    script = """
import orders
async def work():
    async with Session() as session:
        await orders.order(session)
async def main():
    await asyncio.gather(work(), work())
    await engine.dispose()
asyncio.run(main())
"""
    places = recorded(tmp_path, ASYNCIO + script, ORDERS_OF_ASYNCIO)
    assert places.keys() == {"orders.py:6 order"}
    use = places["orders.py:6 order"]
    assert (use.checkouts, use.holds, use.queries) == (2, 2, 2)
    assert mostly_at(use) == "orders.py:15 pay"
    assert use.idle_at.total() >= 2


def test_a_greenlet_has_a_place_and_waits_at_a_line(tmp_path: Path) -> None:
    patched = "from gevent import monkey; monkey.patch_all()\nimport gevent\n"
    script = """
import orders
def work():
    orders.order(Session)
    Session.remove()
gevent.joinall([gevent.spawn(work) for _ in range(2)], raise_error=True)
"""
    places = recorded(tmp_path, patched + THREADS + script)
    assert places.keys() == {"orders.py:6 order"}
    assert mostly_at(places["orders.py:6 order"]) == "orders.py:10 pay"


def test_a_task_that_has_ended_holds_a_forgotten_session(tmp_path: Path) -> None:
    script = """
import orders
sessions = []
async def work():
    sessions.append(Session())
    await sessions[0].scalar(text("SELECT 1"))
async def main():
    await asyncio.create_task(work())
    await asyncio.sleep(1.2)
    await sessions[0].close()
    await engine.dispose()
asyncio.run(main())
"""
    ((place, use),) = recorded(tmp_path, ASYNCIO + script).items()
    assert place == "__main__:14 work"
    assert use.idle_at.keys() == {"(ended)"}


def test_a_thread_outside_of_the_application_holds_a_forgotten_session(tmp_path: Path) -> None:
    script = """
import orders
from concurrent.futures import ThreadPoolExecutor
from sqlalchemy import text
with ThreadPoolExecutor(1) as threads:
    threads.submit(lambda: Session.scalar(text("SELECT 1"))).result()
    time.sleep(1.2)
    threads.submit(Session.remove).result()
"""
    (use,) = recorded(tmp_path, THREADS + script).values()
    assert use.idle_at.keys() == {"(outside the application)"}


def test_a_thread_that_has_ended_holds_a_forgotten_session(tmp_path: Path) -> None:
    script = """
import orders
from sqlalchemy import text
sessions = []
def work():
    sessions.append(Session())
    sessions[0].scalar(text("SELECT 1"))
thread = threading.Thread(target=work)
thread.start()
thread.join()
time.sleep(1.2)
"""
    (use,) = recorded(tmp_path, THREADS + script).values()
    assert use.idle_at.keys() == {"(ended)"}


def test_a_session_of_a_thread_in_an_asyncio_task_waits_at_the_line_of_the_task(
    tmp_path: Path,
) -> None:
    script = """
import asyncio, orders
from sqlalchemy import text
from sqlalchemy.orm import Session
async def work():
    with Session(engine) as session:
        session.scalar(text("SELECT 1"))
        await asyncio.sleep(1.2)
async def main():
    await asyncio.gather(work(), asyncio.sleep(1))
asyncio.run(main())
"""
    (use,) = recorded(tmp_path, THREADS + script).values()
    assert use.idle_at.keys() == {"__main__:16 work"}


class TestRoutes:
    """Frameworks name the route, never the path."""

    def routes(self, folder: Path, script: str) -> tuple[Counter[str], set[str]]:
        """The routes of the places, and the names of the tasks."""
        said = python(script, cwd=folder)
        assert said.stderr == ""
        interval = together(folder)
        routes = reduce(Counter.__add__, (use.routes for use in interval.places.values()))
        return routes, set(interval.tasks)

    def test_fastapi_with_prefixes_and_threads(self, tmp_path: Path) -> None:
        script = """
import httpx
from fastapi import APIRouter, BackgroundTasks, FastAPI
from sqlalchemy import create_engine
app, router = FastAPI(), APIRouter(prefix="/orders")
threads = create_engine("sqlite:///other.db", pool_logging_name="threads")
record(threads)
@router.get("/{number}")
async def order(number: str, after: BackgroundTasks):
    after.add_task(use)
    await use()
@router.post("/{number}")
def new_order(number: str):
    with threads.connect():
        pass
async def use():
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
app.include_router(router, prefix="/api")
async def main():
    from loadtest.recording.route_names import ROUTE_NAMES
    ROUTE_NAMES.look()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        for method in ("GET", "POST"):
            answer = await client.request(method, "/api/orders/4711")
            assert answer.status_code == 200, answer
    await engine.dispose()
asyncio.run(main())
"""
        routes, tasks = self.routes(tmp_path, ASYNCIO + script)
        assert routes == {"GET /api/orders/{number}": 2, "POST /api/orders/{number}": 1}
        assert tasks == set(routes)

    def test_starlette(self, tmp_path: Path) -> None:
        script = """
import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
record(create_async_engine("sqlite+aiosqlite:///again.db"))
async def order(request):
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    return PlainTextResponse("")
routes = [Route("/orders/{number:int}", order), Mount("/{tenant}", routes=[Route("/{x}", order)])]
app = Starlette(routes=routes)
async def main():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        for path in ("/orders/4711", "/4711/0815"):
            assert (await client.get(path)).status_code == 200
    await engine.dispose()
asyncio.run(main())
"""
        routes, _ = self.routes(tmp_path, ASYNCIO + script)
        assert routes == {"GET /orders/{number}": 1, "GET /{x}": 1}

    def test_flask(self, tmp_path: Path) -> None:
        script = """
from flask import Flask
record(create_engine("sqlite:///again.db"))
app = Flask("shop")
@app.route("/orders/<int:number>", methods=["GET", "FOO"])
def order(number):
    with engine.connect():
        return ""
with engine.connect():
    pass
for method in ("GET", "FOO"):
    assert app.test_client().open("/orders/4711", method=method).status_code == 200
"""
        routes, tasks = self.routes(tmp_path, THREADS + script)
        assert routes == {"GET /orders/<int:number>": 1, "OTHER /orders/<int:number>": 1}
        assert tasks == set(routes)

    def test_celery(self, tmp_path: Path) -> None:
        script = """
from celery import Celery
app = Celery("shop")
app.conf.task_always_eager = True
@app.task(name="fulfil")
def fulfil(order):
    with engine.connect():
        pass
app.loader.import_default_modules()
record(create_engine("sqlite:///again.db"))
fulfil.delay(4711).get()
with engine.connect():
    pass
"""
        routes, tasks = self.routes(tmp_path, THREADS + script)
        assert routes == {"fulfil": 1}
        assert tasks == {"fulfil"}
