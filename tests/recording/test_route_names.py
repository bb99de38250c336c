"""Frameworks are found once they are imported, and their failures stay inside."""

from __future__ import annotations

import logging
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from loadtest.pool.place_recorder import Request, Route
from loadtest.recording.route_names import NO_ROUTE, RouteNames, _django_route
from tests.recording.recorded import finished


def imported(monkeypatch: pytest.MonkeyPatch, name: str, **attributes: Any) -> ModuleType:
    """A module of this name that is imported."""
    module = ModuleType(name)
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, name, module)
    return module


@pytest.fixture(autouse=True)
def _without_frameworks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("starlette.applications", "flask", "django.core.handlers.base", "celery._state"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    _django_route.set(NO_ROUTE)  # that of a request stays in its thread until the next one


def test_without_a_framework_nothing_has_a_route() -> None:
    names = RouteNames()
    names.look()
    assert names.now() == NO_ROUTE


def test_a_module_that_is_being_imported_is_found_later(monkeypatch: pytest.MonkeyPatch) -> None:
    module = imported(monkeypatch, "celery._state")
    names = RouteNames()
    names.look()
    assert names.now() == NO_ROUTE
    vars(module)["get_current_task"] = lambda: SimpleNamespace(name="fulfil")
    names.look()
    assert names.now() == (None, "fulfil")


def handler_of_django(monkeypatch: pytest.MonkeyPatch, names: RouteNames) -> Any:
    """A handler that is hooked. seen: the routes in the middleware and in the view."""

    class BaseHandler:
        """As Django's, which calls these for each request."""

        def __init__(self) -> None:
            self.seen: list[Route] = []

        def resolve_request(self, request: Any) -> Any:
            return SimpleNamespace(route="orders/<int:number>/", kwargs={"number": 4711})

        def get_response(self, request: Any) -> None:
            self.seen.append(names.now())
            self.resolve_request(request)
            self.seen.append(names.now())

        async def get_response_async(self, request: Any) -> None:
            self.get_response(request)

    imported(monkeypatch, "django.core.handlers.base", BaseHandler=BaseHandler)
    names.look()
    return BaseHandler()


def test_a_thread_of_django_that_serves_requests_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler, get = handler_of_django(monkeypatch, RouteNames()), SimpleNamespace(method="GET")
    handler.get_response(get)
    handler.get_response(get)
    finished(handler.get_response_async(get))
    assert [name for _, name in handler.seen] == ["", "GET orders/<int:number>/"] * 3
    requests = [request for request, _ in handler.seen[1::2]]
    assert len({id(request) for request in requests}) == 3
    assert all(isinstance(one, Request) and one.ended for one in requests)


def test_a_request_of_starlette_tells_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Route] = []
    names = RouteNames()

    class Starlette:
        """As Starlette's application."""

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            scope["route"] = SimpleNamespace(path_format="/orders/{number}")
            seen.append(names.now())
            assert not ended(seen[-1])
            raise ConnectionError("the client has gone")

    imported(monkeypatch, "starlette.applications", Starlette=Starlette)
    names.look()
    for _ in range(2):
        with pytest.raises(ConnectionError):
            finished(Starlette()({"type": "http", "method": "GET"}, None, None))
    (first, name), (second, _) = seen
    assert name == "GET /orders/{number}"
    assert first is not second
    assert all(map(ended, seen))


def ended(route: Route) -> bool:
    """Whether the request of a route has ended."""
    assert isinstance(route[0], Request)
    return route[0].ended


def test_a_django_handler_names_the_route_that_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    names = RouteNames()
    handler = handler_of_django(monkeypatch, names)
    assert names.now() == NO_ROUTE
    match = handler.resolve_request(SimpleNamespace(method="GET", path="/orders/4711/"))
    assert match.kwargs == {"number": 4711}
    first, name = names.now()
    assert name == "GET orders/<int:number>/"
    handler.resolve_request(SimpleNamespace(method="GET"))
    assert names.now()[0] is not first


def test_a_framework_that_fails_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def current_task() -> Any:
        raise RuntimeError("secret")

    imported(monkeypatch, "celery._state", get_current_task=current_task)
    names = RouteNames()
    names.look()
    with caplog.at_level(logging.WARNING):
        assert names.now() == names.now() == NO_ROUTE
    assert [one.getMessage() for one in caplog.records] == [
        "recording: routes have no names: RuntimeError"
    ]


def test_a_framework_of_an_unknown_version_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    imported(monkeypatch, "flask", stream_with_context=None)
    names = RouteNames()
    names.look()
    assert names.now() == NO_ROUTE
    assert "flask has no names of routes" in caplog.text
