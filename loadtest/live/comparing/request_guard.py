"""Protects what a page can start from other websites that the same browser has open."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, request

# The names of a machine under which no website can pretend to be a page of it: its addresses.
_OF_A_MACHINE = re.compile(r"(?:localhost|[\d.]+|\[[\da-f:.]+\])(?::\d+)?", re.IGNORECASE)
TOKEN_HEADER = "X-Loadtest-Token"
_FORBIDDEN = 403


class RequestGuard:
    """A secret of this process, which only pages of this server can read and send back.

    Locust allows all websites to read its answers, so the secret and the results are kept from
    other origins, and the secret also from names that a website has let point at this machine.
    local: whether the server is for this machine only, without a login.
    """

    def __init__(self, local: Callable[[], bool]) -> None:
        self.token = secrets.token_urlsafe(32)
        self._local = local

    def reads(self, view: Callable[..., Response]) -> Callable[..., Response]:
        """The view, but refused to pages of other websites."""
        return self._unless(self._foreign, view)

    def acts(self, view: Callable[..., Response]) -> Callable[..., Response]:
        """The view, for the page's own requests; those that change something need its token."""
        return self._unless(self._problem, view)

    def _unless(
        self, problem: Callable[[], str], view: Callable[..., Response]
    ) -> Callable[..., Response]:
        @wraps(view)
        def checked(**arguments: Any) -> Response:
            # Not as an exception: Locust's login would answer it with status 200.
            return _forbidden(text) if (text := problem()) else view(**arguments)

        return checked

    def _problem(self) -> str:
        if problem := self._foreign() or self._renamed():
            return problem
        given = request.headers.get(TOKEN_HEADER, "")
        if request.method == "GET" or secrets.compare_digest(given.encode(), self.token.encode()):
            return ""
        return "The token of the page is missing or out of date: reload the page, and start again."

    def _foreign(self) -> str:
        # Browsers send an origin with all but simple requests of the page's own.
        origin = request.headers.get("Origin")
        if origin is None or origin.partition("://")[2].lower() == request.host.lower():
            return ""
        return (
            f"The request comes from another website ({origin}), not from {request.host}. Behind a "
            "proxy, let the proxy keep the Host header."
        )

    def _renamed(self) -> str:
        if not self._local() or _OF_A_MACHINE.fullmatch(request.host):
            return ""
        return (
            f"This page is for its own machine only, but was requested as {request.host}. Open it "
            "as localhost or 127.0.0.1, or start Locust with --web-login."
        )


def _forbidden(problem: str) -> Response:
    answer = json.dumps({"problems": {"": problem}})
    return Response(answer, _FORBIDDEN, content_type="application/json")
