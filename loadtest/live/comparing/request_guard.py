"""Protects what a page can start from other websites that the same browser has open."""

from __future__ import annotations

import re
import secrets

# The names of a machine under which no website can pretend to be a page of it: its addresses.
_OF_A_MACHINE = re.compile(r"(?:localhost|[\d.]+|\[[\da-f:.]+\])(?::\d+)?", re.IGNORECASE)
TOKEN_HEADER = "X-Loadtest-Token"


class RequestGuard:
    """A secret of this process, which only pages of this server can read and send back.

    Locust allows all websites to read its answers, so the secret is kept from other origins, and
    from names that a website has let point at this machine.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)

    def strange(self, host: str, origin: str | None, *, local: bool) -> str:
        """Why a request does not come from a page of this server; empty if it does.

        host, origin: its headers; browsers send an origin with all but simple requests of the
        page's own. local: whether the server is for this machine only, without a login.
        """
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return (
                f"The request comes from another website ({origin}), not from {host}. Behind a "
                "proxy, let the proxy keep the Host header."
            )
        if local and not _OF_A_MACHINE.fullmatch(host):
            return (
                f"This page is for its own machine only, but was requested as {host}. Open it as "
                "localhost or 127.0.0.1, or start Locust with --web-login."
            )
        return ""

    def forged(self, token: str) -> str:
        """Why a request with this token may change nothing; empty if it may."""
        if secrets.compare_digest(token.encode(), self.token.encode()):
            return ""
        return "The token of the page is missing or out of date: reload the page, and start again."
