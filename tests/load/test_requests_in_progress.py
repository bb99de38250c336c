"""Requests that have begun and not ended are known by the name that they will have."""

from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.event import EventHook

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from greenlet import getcurrent

from loadtest.load.users.request_log import RequestLog
from loadtest.load.users.requests_in_progress import RequestsInProgress
from loadtest.model.interval import Interval
from loadtest.pool.checkout_batch import clock
from loadtest.pool.recorder import Recorder

SECOND = 1_000_000_000


def looking(session: type, look: Callable[[], object]) -> Any:
    """A client of this class that looks at something instead of sending a request."""

    class Client(session):  # type: ignore[misc]
        def request(self, method: str, url: str, name: str | None = None, **_: Any) -> object:
            return look()

    return Client("http://127.0.0.1", EventHook(), None)


@pytest.mark.parametrize(
    ("url", "options", "name"),
    [
        ("/orders?id=7", {}, "GET /orders?id=7"),
        ("/orders/7", {"name": "/orders/{id}"}, "GET /orders/{id}"),
        ("/orders/7", {"name": "GET /orders/{id}"}, "GET /orders/{id}"),
    ],
)
@pytest.mark.parametrize("session", [HttpSession, FastHttpSession])
def test_a_request_is_in_progress_until_it_ends(
    session: type, url: str, options: dict[str, str], name: str
) -> None:
    requests = RequestsInProgress()
    client = looking(session, lambda: requests.ages(lambda greenlet: None))
    requests.watch(SimpleNamespace(client=client))
    found = client.get(url, **options)
    assert found.keys() == {name}
    assert all(0 <= age < 60 * SECOND for age in found[name])
    assert requests.ages(lambda greenlet: None) == {}


def test_the_name_of_a_group_and_of_a_whole_address() -> None:
    requests = RequestsInProgress()
    client = looking(HttpSession, lambda: requests.ages(lambda greenlet: None))
    requests.watch(SimpleNamespace(client=client))
    assert client.post("http://shop.example/pay").keys() == {"POST /pay"}
    with client.rename_request("/pay/{id}"):
        assert client.post("/pay/7").keys() == {"POST /pay/{id}"}


def test_an_error_ends_a_request_and_other_clients_are_left_alone() -> None:
    requests, failing = RequestsInProgress(), looking(FastHttpSession, lambda: 1 / 0)
    requests.watch(SimpleNamespace(client=failing))
    with pytest.raises(ZeroDivisionError):
        failing.get("/orders")
    assert requests.ages(lambda greenlet: None) == {}
    other = SimpleNamespace(request=None)
    requests.watch(SimpleNamespace(client=other))
    requests.watch(SimpleNamespace())
    assert other.request is None


def test_an_interval_has_their_ages_from_the_moment_when_they_were_due() -> None:
    log, due = RequestLog(Recorder("here")), clock() - 5 * SECOND
    log.due = lambda greenlet: due if greenlet is getcurrent() else None
    client = looking(FastHttpSession, lambda: log.cut("measured"))
    log.in_progress.watch(SimpleNamespace(client=client))
    found: Interval = client.get("/orders")
    use = found.requests["GET /orders"]
    assert (use.count, use.unfinished.count) == (0, 1)
    assert found.gauges["in_progress"].last == 1
    assert 5 * SECOND <= use.unfinished.max < 60 * SECOND
    again = Interval.from_json(found.to_json())
    assert again.requests == found.requests
    idle = log.cut("measured")
    assert (idle.requests, idle.gauges["in_progress"].last) == ({}, 0)
    log.in_progress.watch(SimpleNamespace(client=None))  # a user of another protocol
    assert "in_progress" not in log.cut("measured").gauges
