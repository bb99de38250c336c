"""Connections that are held while the response of their request is sent, in driven applications."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine

from loadtest.pool.place_recorder import Request, RequestWaits
from loadtest.recording import pool_recording
from loadtest.recording.steering.response_headers import HEADER, answer_with_header, sends_header
from tests.recording.recorded import finished
from tests.recording.test_pool_recording import END, Recorded


def test_a_response_of_wsgi_that_is_to_be_sent_is_noted() -> None:
    waits, headers = RequestWaits(), list[tuple[str, str]]()
    before = list[bool]()

    def application(_: object, start_response: Callable[..., None]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        before.append(waits.responding)  # sessions are closed here
        return [b"text"]

    body = answer_with_header(application, {}, lambda _, sent: headers.extend(sent), waits)
    assert (body, before, waits.responding) == ([b"text"], [False], True)
    assert [name for name, _ in headers] == ["Content-Type", HEADER]


def test_a_response_of_asgi_that_begins_is_noted() -> None:
    waits, sent = Request(), list[Any]()

    async def send(message: Any) -> None:
        sent.append(message["type"])

    sending = sends_header(send, waits)
    finished(sending({"type": "http.response.debug"}))
    assert not waits.responding
    finished(sending({"type": "http.response.start"}))
    assert waits.responding
    finished(sending({"type": "http.response.body", "body": b"a", "more_body": True}))
    assert not waits.responded
    finished(sending({"type": "http.response.body", "body": b"b"}))
    assert waits.responded
    assert sent == [f"http.response.{part}" for part in ("debug", "start", "body", "body")]


def test_a_hold_after_the_response_has_begun_is_counted(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request()
    names = SimpleNamespace(now=lambda: (request, "GET /rows"))
    monkeypatch.setattr(pool_recording, "ROUTE_NAMES", names)
    recorded, found = Recorded(tmp_path, engine), list[tuple[int, int]]()
    with engine.connect():
        for responding, responded in ((False, False), (True, False), (True, True)):
            request.responding, request.responded = responding, responded
            recorded.recording.cut()
            latest = recorded.recording.latest
            assert latest
            found += [(use.responding, use.after_response) for use in latest.places.values()]
    recorded.recording.close(END)
    assert found == [(0, 0), (1, 0), (0, 1)]


def test_a_connection_that_was_returned_before_the_response_is_not_counted(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Quick(Request):
        """A request that returns its connection, then responds, while it is looked at."""

        @property
        def responding(self) -> bool:
            connection.close()
            return True

        @responding.setter
        def responding(self, _: bool) -> None:
            """Nothing changes it."""

    request = Quick()
    names = SimpleNamespace(now=lambda: (request, "GET /rows"))
    monkeypatch.setattr(pool_recording, "ROUTE_NAMES", names)
    recorded, connection = Recorded(tmp_path, engine), engine.connect()
    recorded.recording.cut()
    latest = recorded.recording.latest
    recorded.recording.close(END)
    assert connection.closed
    assert latest
    assert [use.responding for use in latest.places.values()] == [0]
