"""The response header by which a driven application tells how long a request waited.

The load generator sees the duration of a request, the application its waits for connections; the
header joins both. Only an application that the tool drives adds it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from loadtest.pool.place_recorder import RequestWaits
from loadtest.recording.steering.orders import Orders

HEADER = "X-Loadtest"
_FORM = re.compile(r"(\d{1,18});(\d{1,9})")

_Send = Callable[[Any], Awaitable[None]]
_StartResponse = Callable[..., Any]
_Application = Callable[[Any, _StartResponse], Any]


def adds_headers() -> bool:
    """Whether the responses of this process get the header: whether the tool drives it."""
    return Orders.given() is not None


def told_in(text: str) -> RequestWaits | None:
    """What the header of a response tells; None without one, or with one of another program."""
    found = _FORM.fullmatch(text)
    return RequestWaits(int(found[1]), int(found[2])) if found else None


def header_value(waits: RequestWaits) -> str:
    """The header's value: the waits so far (ns), and the timeouts of the pool."""
    return f"{waits.waited};{waits.timeouts}"


def sends_header(send: _Send, waits: RequestWaits) -> _Send:
    """ASGI's `send` that adds the header when the response starts, and notes that and its end."""
    name = HEADER.lower().encode()

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            waits.responding = True
            added = (name, header_value(waits).encode())
            message = {**message, "headers": [*message.get("headers", ()), added]}
        await send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            waits.responded = True

    return sending


def answer_with_header(
    application: _Application, environ: Any, start_response: _StartResponse, waits: RequestWaits
) -> Any:
    """The body of an application's answer by WSGI, with the header; notes that it is to be sent."""

    def start(status: str, headers: Iterable[tuple[str, str]], *error: Any) -> Any:
        return start_response(status, [*headers, (HEADER, header_value(waits))], *error)

    body = application(environ, start)
    # Flask has closed the request's sessions by now, unless it streams the response within it.
    waits.responding = True
    return body
