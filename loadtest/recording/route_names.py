"""The name of the route or task that an application runs, where a web framework or Celery knows it.

Frameworks are not imported. Names are templates, as `GET /orders/{id}`, never paths.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any

from loadtest.pool.place_recorder import Request, RequestWaits, Route
from loadtest.recording.steering.response_headers import (
    HEADER,
    adds_headers,
    answer_with_header,
    header_value,
    sends_header,
)

NO_ROUTE: Route = None, ""
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "WEBSOCKET"}
_log = logging.getLogger("loadtest.recording")

# Where the environment of a request of WSGI has the object for its waits.
_WAITS = "loadtest.waits"
# The scope of a request, and the request.
_asgi: ContextVar[tuple[Any, object]] = ContextVar("loadtest_asgi", default=({}, None))
_django_route: ContextVar[Route] = ContextVar("loadtest_django_route", default=NO_ROUTE)


class RouteNames:
    """Asks the frameworks that the process has imported; `look` finds new ones."""

    def __init__(self) -> None:
        self._missing = dict(_FRAMEWORKS)
        self._known: tuple[Callable[[], Route], ...] = ()

    def look(self) -> None:
        """Find the frameworks that were imported since the last call, in any thread."""
        for name, (attribute, _) in list(self._missing.items()):
            module = sys.modules.get(name)
            # Without the attribute, the module is being imported.
            if module and attribute in vars(module) and (found := self._missing.pop(name, None)):
                try:
                    self._known = (*self._known, found[1](module))
                except Exception as error:
                    _log.warning("recording: %s has no names of routes: %s", name, error)

    def now(self) -> Route:
        """The running request, if the framework has an object for it, and the name of its route."""
        for ask in self._known:
            try:
                found = ask()
            except Exception as error:  # the application must not see it
                self._known = tuple(one for one in self._known if one is not ask)
                _log.warning("recording: routes have no names: %s", type(error).__name__)
            else:
                if found[1]:
                    return found
        return NO_ROUTE


def _starlette(module: Any) -> Callable[[], Route]:
    """Starlette and FastAPI: the scope of a request, to which they add the route."""
    original, tells = module.Starlette.__call__, adds_headers()

    @wraps(original)
    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" or _asgi.get()[0] is scope:
            return await original(self, scope, receive, send)
        request = Request()
        _asgi.set((scope, request))
        try:
            await original(self, scope, receive, sends_header(send, request) if tells else send)
        finally:
            request.ended = True

    module.Starlette.__call__ = call
    return _route_of_scope


def _route_of_scope() -> Route:
    scope, request = _asgi.get()
    # Newer versions of FastAPI keep the prefixes of routers apart from the route.
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    template = getattr(route, "path_format", None)
    if not template:
        return NO_ROUTE
    return request, _named(scope.get("method", "WEBSOCKET"), template)


def _flask(module: Any) -> Callable[[], Route]:
    """Flask: the request of the running thread or greenlet."""
    has_request, request = module.has_request_context, module.request

    def ask() -> Route:
        rule = request.url_rule if has_request() else None
        return (None, _named(request.method, rule.rule)) if rule else NO_ROUTE

    def ask_with_waits() -> Route:
        _, name = ask()
        return (request.environ.get(_WAITS), name) if name else NO_ROUTE

    if not adds_headers():
        return ask
    _add_headers_to_flask(module)
    return ask_with_waits


def _add_headers_to_flask(module: Any) -> None:
    """Give each request an object for its waits, which its response tells."""
    original = module.Flask.__call__

    @wraps(original)
    def call(self: Any, environ: Any, start_response: Any) -> Any:
        if _WAITS in environ:  # an application inside of another one
            return original(self, environ, start_response)
        waits = environ[_WAITS] = RequestWaits()
        return answer_with_header(partial(original, self), environ, start_response, waits)

    module.Flask.__call__ = call


def _django(module: Any) -> Callable[[], Route]:
    """Django: the route that a handler finds for a request; a thread serves many requests."""
    handler = module.BaseHandler
    original, respond = handler.resolve_request, handler.get_response
    respond_async, tells = handler.get_response_async, adds_headers()

    @wraps(original)
    def resolve_request(self: Any, request: Any) -> Any:
        match = original(self, request)
        _django_route.set((Request(), _named(request.method, match.route)))
        return match

    @wraps(respond)
    def get_response(self: Any, request: Any) -> Any:
        with _django_request():
            return _told(respond(self, request)) if tells else respond(self, request)

    @wraps(respond_async)
    async def get_response_async(self: Any, request: Any) -> Any:
        with _django_request():
            response = await respond_async(self, request)
            return _told(response) if tells else response

    handler.resolve_request = resolve_request
    handler.get_response, handler.get_response_async = get_response, get_response_async
    return _django_route.get


@contextmanager
def _django_request() -> Iterator[None]:
    """A request, which has no route until a handler finds one."""
    _django_route.set(NO_ROUTE)
    try:
        yield
    finally:
        request, _ = _django_route.get()
        if isinstance(request, Request):
            request.ended = True


def _told(response: Any) -> Any:
    """A response of Django with the header, if a handler has found a route for its request."""
    request, _ = _django_route.get()
    if isinstance(request, RequestWaits):
        response[HEADER] = header_value(request)
    return response


def _celery(module: Any) -> Callable[[], Route]:
    """Celery: the task that runs."""
    current_task = module.get_current_task

    def ask() -> Route:
        task = current_task()
        return (None, task.name) if task else NO_ROUTE

    return ask


def _named(method: str, template: str) -> str:
    return f"{method if method in _METHODS else 'OTHER'} {template}"


# By module: what it has once it is complete, and the function that finds its routes.
_FRAMEWORKS: dict[str, tuple[str, Callable[[Any], Callable[[], Route]]]] = {
    "starlette.applications": ("Starlette", _starlette),
    "flask": ("stream_with_context", _flask),
    "django.core.handlers.base": ("BaseHandler", _django),
    "celery._state": ("get_current_task", _celery),
}
ROUTE_NAMES = RouteNames()
"""The one of this process: a framework is hooked once."""
