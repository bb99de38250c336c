"""The flash sale of the FastAPI shop: what it sells, and which errors it repeats."""

from __future__ import annotations

from locust.env import Environment

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from sqlalchemy import Engine, text

from loadtest.database.private_server import PrivateServer
from tests.conftest import without_database
from tests.examples.applications import DRIVERS, EXAMPLES, Shop, environment_of, held, running_shop
from tests.processes import until

NAME = "fastapi_shop"
# Sales whose first attempts fail with an error number of the server; prints status and attempts.
ATTEMPTS = """
import asyncio, json, sys
from fastapi import HTTPException
from sqlalchemy.exc import OperationalError
from fastapi_shop import flash_sale
from shop_data.models import Order

class Session:
    rolled_back = 0

    async def rollback(self):
        self.rolled_back += 1

async def sale(number, failures):
    session, left = Session(), iter(range(failures))

    async def sell(session, quantities):
        for _ in left:
            raise OperationalError("UPDATE", {}, Exception(number, "told by the server"))
        return Order(id=1, total=2, paid=False)

    flash_sale.sell = sell
    try:
        await flash_sale.sale(session, flash_sale.Wanted(quantities={1: 1}))
        return [201, session.rolled_back]
    except HTTPException as error:
        return [error.status_code, session.rolled_back]
    except OperationalError:
        return [500, session.rolled_back]

print(json.dumps([asyncio.run(sale(*one)) for one in json.loads(sys.argv[1])]))
"""


@pytest.fixture(scope="module")
def shop(server: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop, with full tables."""
    environment = environment_of(server, DRIVERS[NAME], "")
    subprocess.run([sys.executable, "-m", NAME], env=environment, check=True)
    with running_shop(NAME, tmp_path_factory.mktemp("shop") / "log", environment) as running:
        yield running


def sell(shop: Shop, *clicked: int) -> requests.Response:
    """The answer to a sale of one piece of each product, in this order."""
    body = {"quantities": dict.fromkeys(clicked, 1)}
    return requests.post(f"{shop.url}/sales", json=body, timeout=60)


def stock(shop: Shop, product: int) -> int:
    return int(shop.get(f"/products/{product}").json()["stock"])


@pytest.mark.server
def test_a_sale_takes_each_product_from_the_stock(shop: Shop, admin: Engine) -> None:
    before = stock(shop, 9), stock(shop, 4)
    sold = sell(shop, 9, 4)
    assert sold.status_code == 201
    assert sold.json() | {"id": 0} == {"id": 0, "total": 14.98, "paid": False}
    assert (stock(shop, 9), stock(shop, 4)) == (before[0] - 1, before[1] - 1)
    assert sell(shop, 9, 9998).status_code == 409
    assert stock(shop, 9) == before[0] - 1
    until(lambda: held(admin) == 0, "no connection held")


@pytest.mark.server
def test_a_sale_that_is_rolled_back_by_a_deadlock_starts_again(shop: Shop, admin: Engine) -> None:
    """The other transaction has changed more rows, so the server rolls back the sale."""
    taken = "UPDATE store_product SET stock = stock - 1 WHERE id "
    with ThreadPoolExecutor(1) as threads, admin.connect() as other:
        other.execute(text(f"{taken} IN (12, 100, 101, 102, 103, 104, 105)"))
        answer = threads.submit(sell, shop, 11, 12)
        until(lambda: waiting_for_rows(admin) == 1, "the sale to wait for product 12")
        other.execute(text(f"{taken} = 11"))  # held by the sale until it is rolled back
        other.commit()
        assert answer.result().status_code == 201


def waiting_for_rows(admin: Engine) -> int:
    """How many transactions wait for a row lock.

    The table innodb_trx is a copy, which the server does not renew while it is read often.
    """
    with admin.connect() as connection:
        status = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
        return int(connection.execute(text(status)).one()[1])


def test_conflicts_are_repeated_and_other_errors_are_not() -> None:
    cases = [(1213, 0), (1213, 1), (1205, 2), (1020, 4), (1213, 5), (1054, 1)]
    environment = {
        **without_database(),
        "PYTHONPATH": str(EXAMPLES),
        "DATABASE_URL": "sqlite+aiosqlite://",
    }
    command = [sys.executable, "-c", ATTEMPTS, json.dumps(cases)]
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert json.loads(told.stdout) == [[201, 0], [201, 1], [201, 2], [201, 4], [503, 5], [500, 0]]


def test_users_click_two_different_products_of_the_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    buyer = importlib.import_module("flash_sale_users").Buyer(Environment())
    sent = list[tuple[str, dict[str, int]]]()
    buyer.client.post = lambda path, json: sent.append((path, json["quantities"]))
    for _ in range(300):
        buyer.buy()
    assert {path for path, _ in sent} == {"/sales"}
    assert {len(clicked) for _, clicked in sent} == {2}
    assert {int(product) for _, clicked in sent for product in clicked} <= set(range(1, 81))
    # In the order of the clicks, so that some sales wait for each other.
    orders = [[*map(int, clicked)] for _, clicked in sent]
    assert 0 < sum(first < second for first, second in orders) < len(orders)
