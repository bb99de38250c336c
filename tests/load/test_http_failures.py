"""The kinds of failed requests: who gave up, and what the application answered."""

from __future__ import annotations

from locust.exception import CatchResponseError

from types import SimpleNamespace
from typing import Any

import pytest
import requests
from gevent import Timeout
from geventhttpclient.response import HTTPConnectionClosed
from sqlalchemy.exc import OperationalError
from urllib3.exceptions import ConnectTimeoutError

from loadtest.load.users.http_failures import NO_ANSWER, failure_kind, status_of
from loadtest.model.error_kinds import HTTP_ERROR_KINDS, advice


def answer(status: int | None) -> Any:
    """A response with a status; 0 is what Locust's clients have without an answer."""
    return SimpleNamespace(status_code=status)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (404, requests.HTTPError("404 Client Error"), "http_4xx"),
        (503, requests.HTTPError("503 Server Error"), "http_5xx"),
        (500, CatchResponseError("no order"), "http_5xx"),
        (200, CatchResponseError("no order"), "http_check"),
        (302, CatchResponseError("no order"), "http_check"),
        (0, ConnectionRefusedError(111, "Connection refused"), "http_no_answer"),
        (0, requests.ConnectionError("aborted"), "http_no_answer"),
        (200, ConnectionResetError(104, "Connection reset by peer"), "http_no_answer"),
        (200, HTTPConnectionClosed("connection closed."), "http_no_answer"),
        (0, requests.ReadTimeout("read timed out"), "http_timeout"),
        (0, ConnectTimeoutError("connect timed out"), "http_timeout"),
        (0, TimeoutError("timed out"), "http_timeout"),
        (200, Timeout(1), "http_timeout"),
    ],
)
def test_the_kind_of_a_failed_request(status: int, error: BaseException, kind: str) -> None:
    assert failure_kind(answer(status), error) == kind
    assert kind in HTTP_ERROR_KINDS
    assert advice(kind)


@pytest.mark.parametrize("response", [None, answer(None), SimpleNamespace()])
def test_another_protocol_has_the_kind_of_its_error(response: Any) -> None:
    error = OperationalError("SELECT 1", {}, Exception("no server"))
    assert failure_kind(response, error) == failure_kind(response, ValueError()) == "other"
    assert failure_kind(response, TimeoutError()) == "interrupted"
    assert status_of(response) == ""


def test_the_status_of_an_answer() -> None:
    assert status_of(answer(201)) == "201"
    assert status_of(answer(0)) == NO_ANSWER
