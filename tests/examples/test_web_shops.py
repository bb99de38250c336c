"""The web shops of `examples/`: what their routes answer, and which connections mistakes hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from loadtest.database.private_server import PrivateServer
from loadtest.recording.steering.orders import Orders
from loadtest.recording.steering.response_headers import HEADER, told_in
from tests.conftest import ROOT
from tests.examples.applications import (
    DRIVERS,
    EXAMPLES,
    GatedPartner,
    Shop,
    environment_of,
    held,
    opened,
    running_shop,
    until_held,
)
from tests.processes import locust_command, running

pytestmark = pytest.mark.server
Start = Callable[..., AbstractContextManager[Shop]]
# Requests at once, each of which may hold a connection.
AT_ONCE = 3
TEXT = "/products/5/text"


@pytest.fixture(scope="module", params=DRIVERS)
def name(request: pytest.FixtureRequest, server: PrivateServer) -> str:
    """The package of a shop that has made its tables."""
    environment = environment_of(server, DRIVERS[request.param], "")
    subprocess.run([sys.executable, "-m", request.param], env=environment, check=True)
    return str(request.param)


@pytest.fixture(scope="module")
def sound(
    name: str,
    server: PrivateServer,
    partner_of_all: GatedPartner,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    """A shop without a mistake, for several tests."""
    environment = environment_of(server, DRIVERS[name], partner_of_all.url)
    with running_shop(name, tmp_path_factory.mktemp("sound") / "log", environment) as shop:
        yield shop


@pytest.fixture
def start(name: str, server: PrivateServer, partner: GatedPartner, tmp_path: Path) -> Start:
    """Starts a shop with the settings that a test names."""

    def started(**settings: object) -> AbstractContextManager[Shop]:
        environment = environment_of(server, DRIVERS[name], partner.url, **settings)
        return running_shop(name, tmp_path / "log", environment)

    return started


@pytest.fixture
def at_once() -> Iterator[ThreadPoolExecutor]:
    """Sends requests side by side."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield threads


def order(shop: Shop, number: int) -> int:
    """The status of an order, of products that no other order takes."""
    return shop.order(f"customer-{number + 1}", 10 * (number + 1)).status_code


def text_about(shop: Shop, number: int) -> int:
    """The status of a text about a product."""
    return shop.get(f"/products/{number + 1}/text").status_code


def test_every_route_answers_and_no_connection_stays(sound: Shop, admin: Engine) -> None:
    assert sound.get("/health").json() == {"status": "ok"}
    page = sound.get("/products?page=2").json()
    assert [product["id"] for product in page] == list(range(21, 41))
    before = sound.get("/products/3").json()
    assert (before["name"], before["price"]) == ("product 3", 3.99)
    assert sound.get("/products/9999").status_code == 404
    assert sound.get(TEXT).text == "a fine product"

    ordered = sound.order(product=3)
    assert ordered.status_code == 201
    assert ordered.json() | {"id": 0} == {"id": 0, "total": 12.97, "paid": True}
    assert sound.get("/products/3").json()["stock"] == before["stock"] - 2
    assert sound.order(token="nobody").status_code == 401
    assert sound.order(product=9998).status_code == 409
    assert sound.order(number=0).status_code in (400, 422)
    for body in ([], {}, {"quantities": [3]}, {"quantities": {"3": "two"}}):
        assert sound.send(body).status_code in (400, 422), body
    until_held(admin, 0)


@pytest.mark.parametrize(
    ("mistake", "path", "send"),
    [
        pytest.param("held_across_http", "/payments", order),
        pytest.param("auth_session", "/payments", order, marks=pytest.mark.long),
        pytest.param("background_task", "/receipts", order, marks=pytest.mark.long),
        pytest.param("streaming_response", "/texts", text_about, marks=pytest.mark.long),
    ],
)
def test_a_mistake_holds_a_connection_while_the_partner_works(
    start: Start,
    admin: Engine,
    partner: GatedPartner,
    at_once: ThreadPoolExecutor,
    mistake: str,
    path: str,
    send: Callable[[Shop, int], int],
) -> None:
    with start(SHOP_MISTAKE=mistake) as shop:
        partner.close(path)
        answers = [at_once.submit(send, shop, number) for number in range(AT_ONCE)]
        shop.process.until(lambda: partner.waiting == AT_ONCE, "calls to the partner")
        until_held(admin, AT_ONCE)
        partner.open()
        assert {answer.result() for answer in answers} <= {200, 201}
        until_held(admin, 0)


@pytest.mark.long
def test_without_a_mistake_no_connection_is_held_while_the_partner_works(
    sound: Shop, admin: Engine, partner: GatedPartner, at_once: ThreadPoolExecutor
) -> None:
    for path, send in (("/receipts", order), ("/payments", order), ("/texts", text_about)):
        partner.close(path)
        answers = [at_once.submit(send, sound, number) for number in range(AT_ONCE)]
        sound.process.until(lambda: partner.waiting == AT_ONCE, "calls to the partner")
        until_held(admin, 0)
        partner.open()
        assert {answer.result() for answer in answers} <= {200, 201}
        sound.process.until(lambda: not partner.waiting, "the partner's answers")


@pytest.mark.long
def test_a_forgotten_session_keeps_its_connection(start: Start, name: str, admin: Engine) -> None:
    kept = {"fastapi_shop": 3, "flask_shop": 1}[name]  # for each request; for each thread
    with start(SHOP_MISTAKE="forgotten_session") as shop:
        for product in (1, 2, 3):
            assert shop.get(f"/products/{product}").status_code == 200
        shop.process.until(lambda: held(admin) >= kept, "sessions that stay")
        assert min(held(admin) for _ in range(3)) >= kept
    until_held(admin, 0)


@pytest.mark.parametrize("mistake", ["nested_checkout", "auth_session"])
@pytest.mark.long
def test_a_request_that_needs_two_connections_times_out_on_a_pool_of_one(
    start: Start, mistake: str
) -> None:
    one = {"DATABASE_POOL_SIZE": 1, "DATABASE_MAX_OVERFLOW": 0, "DATABASE_POOL_TIMEOUT": 1}
    with start(SHOP_MISTAKE=mistake, **one) as shop:
        answer = shop.order() if mistake == "auth_session" else shop.get("/products/3")
        assert answer.status_code == 500
        error = "QueuePool limit of size 1 overflow 0 reached"
        shop.process.until(lambda: error in shop.process.output, error)


@pytest.mark.long
def test_without_a_mistake_one_connection_is_enough_for_a_request(start: Start) -> None:
    one = {"DATABASE_POOL_SIZE": 1, "DATABASE_MAX_OVERFLOW": 0, "DATABASE_POOL_TIMEOUT": 1}
    with start(**one) as shop:
        assert shop.order().status_code == 201
        assert shop.get("/products/3").status_code == 200


@pytest.mark.parametrize("mistake", ["engine_per_request", "null_pool"])
@pytest.mark.long
def test_each_request_of_a_mistake_connects_anew(start: Start, admin: Engine, mistake: str) -> None:
    with start(SHOP_MISTAKE=mistake) as shop:
        assert connections_opened(shop, admin) == 5


@pytest.mark.long
def test_without_a_mistake_requests_share_a_connection(start: Start, admin: Engine) -> None:
    two = {"DATABASE_POOL_SIZE": 2, "DATABASE_MAX_OVERFLOW": 0}
    with start(**two) as shop:  # one is open, and the next request may come before its return
        assert connections_opened(shop, admin) <= 1


def test_its_users_meet_no_error(sound: Shop, tmp_path: Path) -> None:
    load = ("--headless", "-u", 5, "-r", 5, "-t", "3s", "--exit-code-on-error", 1)
    users = ("-f", EXAMPLES / "shop_users.py", "--host", sound.url, "--only-summary")
    # A warm process has imported loadtest, which these users do without.
    with running(tmp_path / "locust", *locust_command(*users, *load)) as ended:
        assert ended.wait() == 0, ended.output
    requests = re.search(r"Aggregated +(\d+) +0\(0", ended.output)
    assert requests is not None, ended.output
    assert int(requests[1]) >= 5


def test_a_wait_that_timed_out_is_told(name: str, server: PrivateServer, tmp_path: Path) -> None:
    """Once a shop has orders of the tool, its responses tell how long their requests waited."""
    one = {"DATABASE_POOL_SIZE": 1, "DATABASE_MAX_OVERFLOW": 0, "DATABASE_POOL_TIMEOUT": 1}
    given = environment_of(server, DRIVERS[name], "", SHOP_MISTAKE="nested_checkout", **one)
    orders = Orders(tell=os.devnull).variables()
    given |= {"PYTHONPATH": f"{EXAMPLES}{os.pathsep}{ROOT}", **orders}
    record = (sys.executable, "-m", "loadtest", "record", "--results", tmp_path / "results", "--")
    with running_shop(name, tmp_path / "log", given, record) as shop:
        answers = [shop.get(path) for path in ("/products", "/products/3")]
    fine, failed = (told_in(answer.headers.get(HEADER, "")) for answer in answers)
    assert [answer.status_code for answer in answers] == [200, 500]
    assert fine
    assert failed
    assert (fine.timeouts, failed.timeouts) == (0, 1)
    assert 1 <= failed.waited / 1e9 <= answers[1].elapsed.total_seconds()


def connections_opened(shop: Shop, admin: Engine) -> int:
    """How many connections the shop opens for five requests, one after the other."""
    before = opened(admin)
    for _ in range(5):
        assert shop.get("/products/3").status_code == 200
    return opened(admin) - before - 1  # without the connection that counts
