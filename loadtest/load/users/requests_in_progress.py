"""The requests of HTTP users that have begun and not ended, by name.

Locust's `request` event reports only the end of a request.
"""

from __future__ import annotations

from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from greenlet import getcurrent

from loadtest.pool.checkout_batch import clock


class _Begun(NamedTuple):
    """A request in progress: its name, its begin (clock ns), and the greenlet that sent it."""

    name: str
    at: int
    greenlet: object


class RequestsInProgress:
    """Watches the clients of users, `HttpSession` and `FastHttpSession`."""

    def __init__(self) -> None:
        self._begun: dict[object, _Begun] = {}
        self._watches: bool | None = None

    @property
    def known(self) -> bool:
        """Whether all users so far have such a client."""
        return bool(self._watches)

    def watch(self, user: Any) -> None:
        """Know the requests of a new user's client, if it is one of Locust's for HTTP."""
        client: Any = getattr(user, "client", None)
        is_http = isinstance(client, HttpSession | FastHttpSession)
        if is_http:
            vars(client)["request"] = self._watched(client, client.request)
        self._watches = is_http and self._watches is not False

    def _watched(self, client: Any, send: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(send)
        def request(method: Any, url: Any, name: Any = None, *more: Any, **options: Any) -> Any:
            key = object()
            called = name or client.request_name or _path(client, str(url))
            self._begun[key] = _Begun(full_name(str(method), called), clock(), getcurrent())
            try:
                return send(method, url, name, *more, **options)
            finally:
                del self._begun[key]

        return request

    def ages(self, due: Callable[[object], int | None]) -> Mapping[str, list[int]]:
        """The ages by name (ns).

        due: the moment when the first request of a greenlet was due, if it counts from there.
        """
        now, found = clock(), defaultdict[str, list[int]](list)
        for one in self._begun.values():
            since = due(one.greenlet)
            found[one.name].append(now - (one.at if since is None else min(since, one.at)))
        return found


def full_name(method: str, name: str) -> str:
    """`GET /orders`; a locustfile may have put the method into the name."""
    return name if not method or name.startswith(f"{method} ") else f"{method} {name}"


def _path(client: object, url: str) -> str:
    """The name that Locust gives a request without one."""
    if isinstance(client, FastHttpSession):
        return url
    parts = urlsplit(url)
    return f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
