"""Connections that are held while the response of their request is sent, in driven applications."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine

from loadtest.pool.place_recorder import Request, RequestWaits
from loadtest.recording import pool_recording
from loadtest.recording.steering.response_headers import sends_header, starts_with_header
from tests.recording.recorded import finished
from tests.recording.test_pool_recording import END, Recorded


def test_a_response_of_wsgi_that_begins_is_noted() -> None:
    waits = RequestWaits()
    start = starts_with_header(lambda *_: None, waits)
    assert not waits.responding
    start("200 OK", [])
    assert waits.responding


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
