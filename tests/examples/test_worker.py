"""The worker of `examples/`: it has orders paid, and its mistakes hold connections."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from loadtest.database.private_server import PrivateServer
from tests.examples.applications import (
    GatedPartner,
    environment_of,
    opened,
    until_held,
)
from tests.processes import Running, running

pytestmark = pytest.mark.server
AT_ONCE = 3
WORKER = (
    *(sys.executable, "-m", "celery", "--app", "order_worker.tasks", "worker"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "info"),
)
THREADS = ("--pool", "threads", "--concurrency", AT_ONCE)


class Worker:
    """A worker under way, the orders that it gets and the server's view of them."""

    def __init__(self, process: Running, environment: dict[str, str], admin: Engine) -> None:
        self.process, self._environment, self._admin = process, environment, admin

    def begin_payments(self, partner: GatedPartner) -> None:
        """Send orders, and wait until the partner has the payment of each and keeps it waiting."""
        partner.close("/payments")
        self.send(AT_ONCE)
        self.process.until(lambda: partner.waiting == AT_ONCE, "payments to begin")

    def send(self, orders: int) -> None:
        """Add orders and send them to the worker."""
        send_orders(orders, self._environment)

    def unpaid(self) -> int:
        """How many orders are not paid yet."""
        with self._admin.connect() as connection:
            count = connection.scalar(text("SELECT COUNT(*) FROM store_order WHERE NOT paid"))
        return int(count or 0)

    def until_all_paid(self) -> None:
        """Wait until every order is paid."""
        self.process.until(lambda: not self.unpaid(), "payments")


def send_orders(number: int, environment: dict[str, str]) -> None:
    """Make the tables, if they are missing, add orders and send them to the worker."""
    command = [sys.executable, "-m", "order_worker", str(number), "1000"]
    subprocess.run(command, env=environment, check=True)


Start = Callable[..., "contextmanager[Worker]"]


@pytest.fixture(scope="module", autouse=True)
def _tables(server: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("messages")
    send_orders(0, environment_of(server, "mysql+pymysql", "", WORKER_FOLDER=folder))


@pytest.fixture
def start(server: PrivateServer, partner: GatedPartner, admin: Engine, tmp_path: Path) -> Start:
    """Starts a worker with the settings that a test names; before that every order is paid."""

    @contextmanager
    def started(*options: object, **settings: object) -> Iterator[Worker]:
        settings |= {"WORKER_FOLDER": tmp_path / "messages"}
        environment = environment_of(server, "mysql+pymysql", partner.url, **settings)
        with running(tmp_path / "log", *WORKER, *(options or THREADS), env=environment) as process:
            worker = Worker(process, environment, admin)
            with admin.begin() as connection:
                connection.execute(text("UPDATE store_order SET paid = TRUE"))
            process.until(lambda: " ready." in process.output, "the worker")
            yield worker

    return started


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_every_order_is_paid_and_no_connection_is_held_meanwhile(
    start: Start, admin: Engine, partner: GatedPartner, pool: str
) -> None:
    with start("--pool", pool, "--concurrency", AT_ONCE) as worker:
        worker.begin_payments(partner)
        until_held(admin, 0)
        assert worker.unpaid() == AT_ONCE
        partner.open()
        worker.until_all_paid()


@pytest.mark.long
def test_a_session_held_during_the_payment_holds_a_connection(
    start: Start, admin: Engine, partner: GatedPartner
) -> None:
    with start(*THREADS, SHOP_MISTAKE="held_across_http") as worker:
        worker.begin_payments(partner)
        until_held(admin, AT_ONCE)
        partner.open()
        worker.until_all_paid()


@pytest.mark.long
def test_a_forgotten_session_keeps_a_connection_for_each_thread(
    start: Start, admin: Engine, partner: GatedPartner
) -> None:
    with start(*THREADS, SHOP_MISTAKE="forgotten_session") as worker:
        worker.begin_payments(partner)
        partner.open()
        worker.until_all_paid()
        until_held(admin, AT_ONCE)
    until_held(admin, 0)


@pytest.mark.long
def test_a_task_that_needs_two_connections_times_out_on_a_pool_of_one(start: Start) -> None:
    one = {"DATABASE_POOL_SIZE": 1, "DATABASE_MAX_OVERFLOW": 0, "DATABASE_POOL_TIMEOUT": 1}
    with start(*THREADS, SHOP_MISTAKE="nested_checkout", **one) as worker:
        worker.send(1)
        error = "QueuePool limit of size 1 overflow 0 reached"
        worker.process.until(lambda: error in worker.process.output, error)
        assert worker.unpaid() == 1


# The first of six tasks waits between its two checkouts when the count begins.
@pytest.mark.parametrize(
    ("mistake", "connections"), [("engine_per_task", 5), ("null_pool", 1 + 5 * 2), ("", 0)]
)
@pytest.mark.long
def test_each_task_of_a_mistake_connects_anew(
    start: Start, admin: Engine, partner: GatedPartner, mistake: str, connections: int
) -> None:
    with start("--pool", "solo", SHOP_MISTAKE=mistake) as worker:
        partner.close("/payments")
        worker.send(6)
        worker.process.until(lambda: partner.waiting, "a payment to begin")
        before = opened(admin)
        partner.open()
        worker.process.until(lambda: worker.process.output.count("succeeded in") == 6, "tasks")
        assert opened(admin) - before - 1 == connections  # without the connection that counts
