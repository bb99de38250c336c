"""An application is not started on a port that is in use, and not driven before it answers."""

from __future__ import annotations

import os
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from loadtest.experiment.driving import readiness
from loadtest.experiment.driving.readiness import (
    listening_in_words,
    refuse_used_port,
    wait_until_ready,
)
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError
from tests.processes import free_port


def at(port: int, path: str = "/health") -> DrivenApplication:
    return DrivenApplication(command="shop", ready=f"http://127.0.0.1:{port}{path}")


def test_a_port_in_use_is_refused_with_its_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UsageError) as refused:
            refuse_used_port(at(port))
    assert f"port {port} is in use by " in str(refused.value)
    assert f"(pid {os.getpid()})" in str(refused.value)


def test_a_free_port_is_accepted() -> None:
    refuse_used_port(at(free_port()))


class Answers(BaseHTTPRequestHandler):
    """Answers with success on its second request of `/health`, and never elsewhere."""

    asked = 0
    login: str | None = None

    def do_GET(self) -> None:
        type(self).asked += 1
        type(self).login = self.headers.get("Authorization")
        self.send_response(200 if self.path == "/health" and self.asked > 1 else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_application_is_ready_when_it_answers_with_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    checked = list[int]()
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            ready = at(server.server_port)
            assert wait_until_ready(ready, lambda: checked.append(1)) == ""
            assert Answers.login is None
            monkeypatch.setattr(readiness, "APPLICATION_READY_SECONDS", 0.0)
            other = at(server.server_port, "/other")
            assert wait_until_ready(other, lambda: None) == f"{other.ready} answered 503"
            url = ready.ready.replace("://", "://shop:s3cret%40@")
            assert wait_until_ready(DrivenApplication(command="a", ready=url), lambda: None) == ""
            assert Answers.login == "Basic c2hvcDpzM2NyZXRA"
        finally:
            server.shutdown()
            thread.join()
    assert checked == [1]


def test_an_application_that_ends_is_not_waited_for() -> None:
    def ended() -> None:
        raise UsageError("it ended")

    with pytest.raises(UsageError, match="it ended"):
        wait_until_ready(at(free_port()), ended)


def test_where_an_application_listens_instead_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port, other = server.getsockname()[1], free_port()
        told = listening_in_words(os.getpid(), at(other))
        assert f"127.0.0.1:{port}" in told
        assert told.endswith(f", and --ready has port {other}")
        assert listening_in_words(os.getpid(), at(port)) == ""
