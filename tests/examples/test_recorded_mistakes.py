"""A recording names the line of each mistake of the example applications."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from pathlib import Path

import pytest
from sqlalchemy import Engine

from loadtest.database.private_server import PrivateServer
from loadtest.model.interval import Interval
from loadtest.model.place_use import PlaceUse
from loadtest.model.task_use import TaskUse
from tests.conftest import ROOT
from tests.examples.applications import (
    DRIVERS,
    EXAMPLES,
    GatedPartner,
    Shop,
    environment_of,
    running_shop,
)
from tests.examples.test_web_shops import order, text_about
from tests.examples.test_worker import AT_ONCE, THREADS, WORKER, Worker
from tests.processes import Running, running, stop_with
from tests.recording.recorded import runs_in

pytestmark = [pytest.mark.server, pytest.mark.long]
Send = Callable[[Shop, int], int]
ENDED, OUTSIDE = "(ended)", "(outside the application)"
# The mistake, what is sent, and of the partner what does not answer; the place, and the line at
# which its holds wait.
AT_CALL = "partner.py _post: .post("
CUSTOMER = "orders.py customer_with: select(Customer)"
RECEIPT = "mistakes/background_task.py send_receipt: .get_one("
WAITING_FASTAPI = {
    "held_across_http": (order, CUSTOMER, AT_CALL),
    "auth_session": (order, "mistakes/auth_session.py get_customer: .scalar(", AT_CALL),
    "background_task": (order, RECEIPT, AT_CALL),
    # Starlette sends the response from a task of its own, and the request's waits for it.
    "streaming_response": (
        *(text_about, "mistakes/streaming_response.py product_text: .get_one("),
        OUTSIDE,
    ),
}
WAITING_FLASK = {
    "held_across_http": (order, CUSTOMER, AT_CALL),
    "auth_session": (order, "mistakes/auth_session.py check_token: .scalar(", AT_CALL),
    "background_task": (order, RECEIPT, AT_CALL),
    "streaming_response": (
        *(text_about, "mistakes/streaming_response.py pieces: .get_one("),
        "partner.py words_about: iter_content(",
    ),
}
NESTED = "mistakes/nested_checkout.py name_of: .get(Product"
WAITING = [
    *(("fastapi_shop", mistake, *one) for mistake, one in WAITING_FASTAPI.items()),
    *(("flask_shop", mistake, *one) for mistake, one in WAITING_FLASK.items()),
]
CLOSED = {"background_task": "/receipts", "streaming_response": "/texts"}


def numbered(name: str, place: str) -> str:
    """A place that is written as `FILE FUNCTION: CODE`, with the number of this line."""
    where, code = place.split(": ")
    file, function = where.split()
    lines = (EXAMPLES / name / file).read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if code in line]
    return f"{name}/{file}:{number} {function}"


def product(shop: Shop, number: int) -> int:
    """The status of a product's page."""
    return shop.get(f"/products/{number + 1}").status_code


class Recorded:
    """The recording of a command in a folder, which may still be written."""

    def __init__(self, folder: Path) -> None:
        self._results = folder / "results"
        command = (sys.executable, "-m", "loadtest", "record", "--results", self._results, "--")
        self.before = command

    def interval(self) -> Interval:
        """Everything so far, of all processes and pools together."""
        folders = [one for one in self._results.glob("*/runs") if not one.parent.is_symlink()]
        runs = [run for folder in folders for run in runs_in(folder)]
        each = [reduce(Interval.then, run.intervals) for run in runs if run.intervals]
        return reduce(Interval.beside, each, Interval(0))

    def place(self, name: str) -> PlaceUse:
        """The use of a place so far."""
        return self.interval().places.get(name, PlaceUse())


def environment(
    server: PrivateServer, driver: str, partner: GatedPartner, **settings: object
) -> dict[str, str]:
    """The environment of an application that is recorded."""
    given = environment_of(server, driver, partner.url, **settings)
    return given | {"PYTHONPATH": f"{EXAMPLES}{os.pathsep}{ROOT}"}


@pytest.fixture(scope="module", autouse=True)
def _tables(server: PrivateServer) -> None:
    command = [sys.executable, "-m", "flask_shop"]
    subprocess.run(command, env=environment_of(server, DRIVERS["flask_shop"], ""), check=True)


@pytest.mark.parametrize(("name", "mistake", "send", "place", "line"), WAITING)
def test_a_hold_during_a_call_has_its_place_and_the_line_of_the_call(
    server: PrivateServer,
    partner: GatedPartner,
    tmp_path: Path,
    name: str,
    mistake: str,
    send: Send,
    place: str,
    line: str,
) -> None:
    recorded = Recorded(tmp_path)
    given = environment(server, DRIVERS[name], partner, SHOP_MISTAKE=mistake)
    with (
        running_shop(name, tmp_path / "log", given, recorded.before) as shop,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        partner.close(CLOSED.get(mistake, "/payments"))
        answers = [threads.submit(send, shop, number) for number in range(AT_ONCE)]
        at, where = numbered(name, place), line if line == OUTSIDE else numbered(name, line)

        def seen() -> bool:
            return recorded.place(at).idle_at[where] >= AT_ONCE

        try:
            shop.process.until(seen, f"{at} at {where} in {recorded.interval().places}")
        finally:
            partner.open()
        assert {answer.result() for answer in answers} <= {200, 201}
        shop.process.until(lambda: recorded.place(at).holds >= AT_ONCE, "the ends of the holds")
        use = recorded.place(at)
        assert use.needed < use.hold
        # Flask's background thread runs no request.
        assert bool(use.routes) is ((name, mistake) != ("flask_shop", "background_task"))


@pytest.mark.parametrize(
    ("name", "mistake", "place", "line"),
    [
        (
            "fastapi_shop",
            "forgotten_session",
            "mistakes/forgotten_session.py product_detail: .get_one(",
            ENDED,
        ),
        # A thread keeps the connection that it took for its first request.
        ("flask_shop", "forgotten_session", "routes.py health: SELECT 1", OUTSIDE),
        (
            "fastapi_shop",
            "nested_checkout",
            "mistakes/nested_checkout.py name_of: .get(Product",
            "",
        ),
        ("flask_shop", "nested_checkout", "mistakes/nested_checkout.py name_of: .get(Product", ""),
        (
            "fastapi_shop",
            "engine_per_request",
            "mistakes/engine_per_request.py product_detail: .get_one(",
            "",
        ),
        (
            "flask_shop",
            "engine_per_request",
            "mistakes/engine_per_request.py product_detail: .get_one(",
            "",
        ),
        ("flask_shop", "null_pool", "routes.py existing: .get(Product", ""),
        ("fastapi_shop", "", "routes.py existing: .get(Product", ""),
    ],
)
def test_the_page_of_a_product_has_its_place(
    server: PrivateServer,
    partner: GatedPartner,
    tmp_path: Path,
    name: str,
    mistake: str,
    place: str,
    line: str,
) -> None:
    recorded = Recorded(tmp_path)
    given = environment(server, DRIVERS[name], partner, SHOP_MISTAKE=mistake)
    at, least = numbered(name, place), 1 if "health" in place else AT_ONCE
    with running_shop(name, tmp_path / "log", given, recorded.before) as shop:
        for number in range(AT_ONCE):
            assert product(shop, number) == 200

        def seen() -> bool:
            use = recorded.place(at)
            return use.checkouts >= least and (not line or line in use.idle_at)

        shop.process.until(seen, f"{at} in {recorded.interval().places}")
    interval = recorded.interval()
    (route,) = interval.places[at].routes
    pages = {"GET /products/{product_id}", "GET /products/<int:product_id>", "GET /health"}
    assert route in pages
    nested = AT_ONCE if mistake == "nested_checkout" else 0
    assert interval.tasks.get(route, TaskUse()).nested == interval.places[at].nested == nested
    if mistake in ("null_pool", "engine_per_request"):
        assert interval.counters["opened"] >= AT_ONCE


@pytest.mark.parametrize(
    ("mistake", "place", "line"),
    [
        (
            "held_across_http",
            "mistakes/held_across_http.py fulfil: .get_one(",
            "work.py pay: requests.post(",
        ),
        ("engine_per_task", "mistakes/engine_per_task.py fulfil: .get_one(", ""),
        ("forgotten_session", "mistakes/forgotten_session.py fulfil: .scalar(", OUTSIDE),
        ("nested_checkout", "mistakes/nested_checkout.py token_of: .get_one(Customer", ""),
        ("", "work.py fulfil: order = ", ""),
    ],
)
def test_a_task_of_the_worker_has_its_place(
    server: PrivateServer,
    partner: GatedPartner,
    admin: Engine,
    tmp_path: Path,
    mistake: str,
    place: str,
    line: str,
) -> None:
    recorded = Recorded(tmp_path)
    folder = tmp_path / "messages"
    settings = {"SHOP_MISTAKE": mistake, "WORKER_FOLDER": folder}
    given = environment(server, "mysql+pymysql", partner, **settings)
    at = numbered("order_worker", place)
    where = line if line in ("", OUTSIDE) else numbered("order_worker", line)
    with running(tmp_path / "log", *recorded.before, *WORKER, *THREADS, env=given) as process:
        worker = ready(process, given, admin)
        if line:  # each task has a thread of its own, because all are at their payments at once
            worker.begin_payments(partner)
        else:
            worker.send(AT_ONCE)
        if line == OUTSIDE:
            partner.open()

        def seen() -> bool:
            use = recorded.place(at)
            return use.checkouts >= AT_ONCE and (not where or where in use.idle_at)

        try:
            process.until(seen, f"{at} in {recorded.interval().places}")
        finally:
            partner.open()
        worker.until_all_paid()
        stop_with(process, signal.SIGTERM)  # killed, it would leave the worker behind
    interval = recorded.interval()
    assert interval.places[at].routes.keys() == {"fulfil"}
    assert (interval.tasks["fulfil"].nested > 0) is (mistake == "nested_checkout")
    assert interval.places[at].nested == interval.tasks["fulfil"].nested


def ready(process: Running, given: dict[str, str], admin: Engine) -> Worker:
    """The worker, once it takes orders."""
    worker = Worker(process, given, admin)
    process.until(lambda: " ready." in process.output, "the worker")
    return worker
