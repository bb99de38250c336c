"""Frameworks are found once they are imported, and their failures stay inside."""

from __future__ import annotations

import logging
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from loadtest.recording.route_names import NO_ROUTE, RouteNames


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


def test_a_django_handler_names_the_route_that_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    class BaseHandler:
        """As Django's, which calls this for each request."""

        def resolve_request(self, request: Any) -> Any:
            return SimpleNamespace(route="orders/<int:number>/", kwargs={"number": 4711})

    imported(monkeypatch, "django.core.handlers.base", BaseHandler=BaseHandler)
    names = RouteNames()
    names.look()
    assert names.now() == NO_ROUTE
    match = BaseHandler().resolve_request(SimpleNamespace(method="GET", path="/orders/4711/"))
    assert match.kwargs == {"number": 4711}
    first, name = names.now()
    assert name == "GET orders/<int:number>/"
    BaseHandler().resolve_request(SimpleNamespace(method="GET"))
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
