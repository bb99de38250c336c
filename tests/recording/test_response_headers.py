"""The responses of a driven application tell the waits of their requests; no others do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from loadtest.pool.place_recorder import Request, RequestWaits
from loadtest.recording.route_names import NO_ROUTE, RouteNames, _django_route
from loadtest.recording.steering.orders import VARIABLE, Orders
from loadtest.recording.steering.response_headers import HEADER, header_value, told_in
from tests.recording.recorded import finished, python

DRIVEN = Orders(tell="/dev/null").variables()  # a tool that is always there
MILLISECOND = 1_000_000


@pytest.fixture(autouse=True)
def _orders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a driven application; some tests take the orders away."""
    monkeypatch.setenv(VARIABLE, DRIVEN[VARIABLE])
    yield
    _django_route.set(NO_ROUTE)


def imported(monkeypatch: pytest.MonkeyPatch, name: str, **attributes: Any) -> RouteNames:
    """The names of routes of a framework with these attributes, the only one that is imported."""
    for one in ("starlette.applications", "flask", "django.core.handlers.base", "celery._state"):
        monkeypatch.delitem(sys.modules, one, raising=False)
    module = ModuleType(name)
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, name, module)
    names = RouteNames()
    names.look()
    return names


def test_what_is_written_is_read() -> None:
    found = told_in(header_value(RequestWaits(170 * MILLISECOND, 2)))
    assert found
    assert (found.waited, found.timeouts) == (170 * MILLISECOND, 2)
    assert told_in("gzip") is None


class Asgi:
    """An application of ASGI that waits before the response and after its begin."""

    names: RouteNames

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = SimpleNamespace(path_format="/orders/{number}")
        if scope.pop("outer", False):
            return await self(scope, receive, send)
        request, _ = self.names.now()
        assert isinstance(request, Request)
        request.waited += 170 * MILLISECOND
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        request.waited += 999 * MILLISECOND
        await send({"type": "http.response.body", "body": b"ok"})


def messages_of(monkeypatch: pytest.MonkeyPatch, **scope: Any) -> list[Any]:
    """What an application of ASGI sends."""
    Starlette = type("Starlette", (Asgi,), {"__call__": Asgi.__call__})
    names = imported(monkeypatch, "starlette.applications", Starlette=Starlette)
    Starlette.names = names
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    finished(Starlette()({"type": "http", "method": "GET", **scope}, None, send))
    return sent


@pytest.mark.parametrize("outer", [False, True])
def test_a_response_of_asgi_has_one_header(monkeypatch: pytest.MonkeyPatch, outer: bool) -> None:
    start, body = messages_of(monkeypatch, outer=outer)
    assert start["headers"] == [(b"a", b"b"), (b"x-loadtest", b"170000000;0")]
    assert body == {"type": "http.response.body", "body": b"ok"}


def test_without_orders_asgi_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    start, _ = messages_of(monkeypatch)
    assert start["headers"] == [(b"a", b"b")]


def answer_of_django(monkeypatch: pytest.MonkeyPatch, *, found: bool = True) -> dict[str, str]:
    """The header of a response of Django, and of one that its asynchronous handler makes."""

    class BaseHandler:
        """As Django's."""

        names: RouteNames

        def resolve_request(self, request: Any) -> Any:
            return SimpleNamespace(route="orders/<int:number>/")

        def get_response(self, request: Any) -> dict[str, str]:
            if found:
                self.resolve_request(request)
                own, _ = self.names.now()
                assert isinstance(own, Request)
                own.waited, own.timeouts = 170 * MILLISECOND, 1
            return {}

        async def get_response_async(self, request: Any) -> dict[str, str]:
            return BaseHandler.get_response.__wrapped__(self, request)  # type: ignore[attr-defined]

    BaseHandler.names = imported(monkeypatch, "django.core.handlers.base", BaseHandler=BaseHandler)
    get, handler = SimpleNamespace(method="GET"), BaseHandler()
    response = handler.get_response(get)
    assert finished(handler.get_response_async(get)) == response
    return response


def test_a_response_of_django_has_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer_of_django(monkeypatch) == {HEADER: "170000000;1"}


def test_a_response_of_django_without_a_route_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer_of_django(monkeypatch, found=False) == {}


def test_without_orders_django_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    assert answer_of_django(monkeypatch) == {}


# A pool of one connection. A request holds it until another one waits for it, and then for a time.
# An application defines `send`, which sends a request to a path and returns the told header.
SHOP = """
import json, threading, time
from sqlalchemy import QueuePool, create_engine, text
engine = create_engine(
    "sqlite:///file:shop?mode=memory&uri=true", poolclass=QueuePool, pool_size=1, max_overflow=0,
    pool_timeout={timeout}, connect_args={{"check_same_thread": False}}, plugins=["loadtest"],
)
with engine.connect():  # opens it
    pass
from loadtest.recording.process_recorder import PROCESS_RECORDER
(recording,) = PROCESS_RECORDER._recordings.values()
pending, held, ended = recording._recorder.pending, threading.Event(), threading.Event()

def hold():
    with engine.connect():
        held.set()
        while not pending and not ended.is_set():
            time.sleep(0.001)
        ended.wait({hold})
    return "held"

def look():
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT 1")).scalar())
{application}
first = threading.Thread(target=send, args=("/hold",))
first.start()
held.wait()
start = time.perf_counter()
told = send("/look/7")
seconds = time.perf_counter() - start
ended.set()
first.join()
print(json.dumps([told, send("/look/7"), send("/missing"), seconds]))
"""
PLUGIN = """
import sys
from sqlalchemy.dialects import plugins
plugins.register("loadtest", "loadtest.recording.engine_plugin", "RecordingPlugin")
"""
FLASK = """
from flask import Flask
app = Flask("shop")
app.add_url_rule("/hold", view_func=hold)
app.add_url_rule("/look/<token>", view_func=lambda token: look(), endpoint="look")
from loadtest.recording.route_names import ROUTE_NAMES
ROUTE_NAMES.look()

def send(path):
    return app.test_client().get(path).headers.get("X-Loadtest")
"""
FASTAPI = """
import asyncio
from fastapi import FastAPI
app = FastAPI()
app.get("/hold")(lambda: hold())
app.get("/look/{token}")(lambda token: look())
from loadtest.recording.route_names import ROUTE_NAMES
ROUTE_NAMES.look()

async def answer(path):
    told = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        told.extend(dict(message.get("headers", ())).get(name) for name in [b"x-loadtest"])
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    try:
        await app(scope, receive, send)
    except Exception:
        pass  # the server's
    return told[0].decode() if told[0] else None

def send(path):
    return asyncio.run(answer(path))
"""


def asked(
    folder: Path, application: str, timeout: float = 60, hold: float = 0.05
) -> tuple[str | None, str | None, str | None, float]:
    """The headers of a request that waits, of one that does not, and of one without a route.

    The last value is the time that the first one took.
    """
    script = SHOP.format(timeout=timeout, hold=hold, application=application)
    done = python(PLUGIN + script, cwd=folder)
    told, quick, missing, seconds = json.loads(done.stdout.splitlines()[-1])
    return told, quick, missing, seconds


@pytest.mark.parametrize("application", [FLASK, FASTAPI], ids=["flask", "fastapi"])
class TestOfFrameworks:
    """Real frameworks, in a process of their own."""

    def test_a_known_wait_is_told(self, tmp_path: Path, application: str) -> None:
        told, quick, missing, seconds = asked(tmp_path, application)
        waits = told_in(told or "")
        assert waits
        assert 0.05 <= waits.waited / 1e9 <= seconds
        assert (quick, missing) == ("0;0", "0;0")

    def test_a_timeout_of_the_pool_is_told(self, tmp_path: Path, application: str) -> None:
        told, *_ = asked(tmp_path, application, timeout=0.05, hold=60)
        waits = told_in(told or "")
        assert waits
        assert waits.waited >= 50 * MILLISECOND
        assert waits.timeouts == 1
