"""An application is not started on a port that is in use, and not driven before it answers."""

from __future__ import annotations

import os
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from loadtest.experiment.driving import readiness
from loadtest.experiment.driving.readiness import refuse_used_port, wait_until_ready
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

    def do_GET(self) -> None:
        type(self).asked += 1
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
            wait_until_ready(at(server.server_port), lambda: checked.append(1))
            monkeypatch.setattr(readiness, "APPLICATION_READY_SECONDS", 0.0)
            with pytest.raises(
                UsageError, match=r"not ready within 0 s: http.*/other answered 503"
            ):
                wait_until_ready(at(server.server_port, "/other"), lambda: None)
        finally:
            server.shutdown()
            thread.join()
    assert checked == [1]


def test_an_application_that_ends_is_not_waited_for() -> None:
    def ended() -> None:
        raise UsageError("it ended")

    with pytest.raises(UsageError, match="it ended"):
        wait_until_ready(at(free_port()), ended)
