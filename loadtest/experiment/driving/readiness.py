"""Finds out whether an application is ready, and whether its port is free before it starts."""

from __future__ import annotations

import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import psutil

from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError

APPLICATION_READY_SECONDS = 60.0
PORT_FREE_SECONDS = 5.0
_POLL_SECONDS = 0.1
_TRY_SECONDS = 2.0
# Without the proxies of the environment.
_opener = build_opener(ProxyHandler({}))


def refuse_used_port(application: DrivenApplication) -> None:
    """Raise UsageError if a program answers on the port of `ready` before the application runs."""
    if not _is_used(application):
        return
    program = _listener(application.port)
    by = f" by {program}" if program else ""
    raise UsageError(
        f"--ready: port {application.port} is in use{by}; stop that program or choose another port"
    )


def wait_until_free(application: DrivenApplication) -> None:
    """Wait until the port of a stopped application is free, for at most PORT_FREE_SECONDS."""
    deadline = time.monotonic() + PORT_FREE_SECONDS
    while _is_used(application) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def wait_until_ready(application: DrivenApplication, check_alive: Callable[[], None]) -> str:
    """Wait until `ready` answers with success, for at most APPLICATION_READY_SECONDS.

    check_alive: called between two tries; raises an error to give up. Returns what `ready` did
    instead, as a sentence; empty for success.
    """
    deadline, request = time.monotonic() + APPLICATION_READY_SECONDS, _request(application.ready)
    while answer := _refusal(request):
        check_alive()
        if time.monotonic() >= deadline:
            return f"{request.full_url} {answer}"
        time.sleep(_POLL_SECONDS)
    return ""


def listening_in_words(pid: int, application: DrivenApplication) -> str:
    """Where a process and its children listen, if not on the port of `ready`; a part of a sentence.

    Empty if they do listen there.
    """
    found = sorted(set(_listening(pid)))
    if any(port == application.port for _, port in found):
        return ""
    there = ", ".join(f"{host}:{port}" for host, port in found) or "no port"
    return f"; the application listens on {there}, and --ready has port {application.port}"


def _listening(pid: int) -> Iterator[tuple[str, int]]:
    """The addresses on which a process and its children accept connections."""
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                for one in process.net_connections("tcp"):
                    if one.status == psutil.CONN_LISTEN:
                        yield one.laddr.ip, one.laddr.port


def _request(url: str) -> Request:
    """A request for a URL; its user and password become a header."""
    parts = urlsplit(url)
    login, at, address = parts.netloc.rpartition("@")
    headers = (
        {"Authorization": f"Basic {b64encode(unquote(login).encode()).decode()}"} if at else {}
    )
    return Request(parts._replace(netloc=address).geturl(), headers=headers)


def _refusal(request: Request) -> str:
    """What a URL does instead of answering with success, as a predicate; empty for success."""
    try:
        with _opener.open(request, timeout=_TRY_SECONDS):
            return ""
    except HTTPError as error:
        error.close()
        return f"answered {error.code}"
    except (OSError, HTTPException) as error:
        return f"did not answer ({getattr(error, 'reason', None) or error})"


def _is_used(application: DrivenApplication) -> bool:
    """Whether any address of the host accepts connections on the port; `localhost` has several."""
    try:
        found = socket.getaddrinfo(application.host, application.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"--ready: unknown host {application.host}: {error.strerror}") from None
    return any(_accepts(family, address) for family, _, _, _, address in found)


def _accepts(family: int, address: object) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(_TRY_SECONDS)
        return probe.connect_ex(address) == 0  # type: ignore[arg-type]


def _listener(port: int) -> str:
    """The program that listens on a port, like `nginx (pid 812)`; empty if it cannot be seen."""
    with suppress(psutil.Error):
        for one in psutil.net_connections("tcp"):
            here = getattr(one.laddr, "port", None) == port
            if here and one.status == psutil.CONN_LISTEN and one.pid:
                return f"{psutil.Process(one.pid).name()} (pid {one.pid})"
    return ""
