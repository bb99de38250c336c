"""The example applications as their users start them, beside a partner that a test controls."""

from __future__ import annotations

import runpy
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests
from sqlalchemy import Engine, text

from loadtest.database.private_server import PrivateServer
from tests.conftest import ROOT, without_database
from tests.processes import Running, fetch, free_port, running, stop_with, until

EXAMPLES = ROOT / "examples"
PARTNER = runpy.run_path(str(EXAMPLES / "shop_data" / "partner.py"))
# The garbage collector would close a forgotten session at a time of its own.
UVICORN = "import gc, uvicorn; gc.disable(); uvicorn.main()"
SERVERS = {
    "fastapi_shop": ("-c", UVICORN, "fastapi_shop.app:app", "--port"),
    "flask_shop": (
        *("-m", "gunicorn", "--no-control-socket", "--threads", "8", "flask_shop.app:app"),
        "--bind",
    ),
}
DRIVERS = {"fastapi_shop": "mysql+aiomysql", "flask_shop": "mysql+pymysql"}


class GatedPartner:
    """The partner of the shops; its answers below the closed path wait until open()."""

    def __init__(self) -> None:
        self.waiting, self.closed, self._opened = 0, "", threading.Event()
        gate = self

        class Gated(PARTNER["Partner"]):
            def work(self, _: float) -> None:
                gate.wait(self.path)

        self._server = PARTNER["PartnerServer"](("127.0.0.1", 0), Gated)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self, path: str) -> None:
        """Let calls below this path wait."""
        self.closed, self._opened = path, threading.Event()

    def open(self) -> None:
        """Answer all calls."""
        self.closed = ""
        self._opened.set()

    def wait(self, path: str) -> None:
        """Wait as long as the path is closed."""
        if self.closed and path.startswith(self.closed):
            self.waiting += 1
            self._opened.wait()
            self.waiting -= 1

    def stop(self) -> None:
        """End the server."""
        self.open()
        self._server.shutdown()
        self._server.server_close()


class Shop:
    """A web shop under way."""

    def __init__(self, url: str, process: Running) -> None:
        self.url, self.process = url, process

    def get(self, path: str) -> requests.Response:
        """The answer of a route."""
        return requests.get(self.url + path, timeout=60)

    def order(
        self, token: str = "customer-7", product: int = 3, number: int = 2
    ) -> requests.Response:
        """The answer to an order of some pieces of a product, and one of the next."""
        return self.send({"quantities": {product: number, product + 1: 1}}, token)

    def send(self, body: object, token: str = "customer-7") -> requests.Response:
        """The answer to an order with this body."""
        headers = {"X-Token": token}
        return requests.post(f"{self.url}/orders", json=body, headers=headers, timeout=60)


def environment_of(server: PrivateServer, driver: str, partner: str, **settings: object) -> dict:
    """The environment of an application: its database, its partner and its settings."""
    url = server.url.set(drivername=driver)
    if driver == "mysql+pymysql":
        url = url.update_query_dict({"ssl_disabled": "true"})
    return {
        **without_database(),
        "PYTHONPATH": str(EXAMPLES),
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "PARTNER_URL": partner,
        **{name: str(value) for name, value in settings.items()},
    }


@contextmanager
def running_shop(
    name: str, log: Path, environment: dict[str, str], before: Sequence[object] = ()
) -> Iterator[Shop]:
    """A shop that answers; before: a command in front of its own."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    last = port if name == "fastapi_shop" else address
    command = (*before, sys.executable, *SERVERS[name], last)
    with running(log, *command, env=environment) as process:
        process.until(lambda: fetch(f"http://{address}/health"), "the shop")
        yield Shop(f"http://{address}", process)
        if before:  # killed, it would leave the shop behind
            stop_with(process, signal.SIGTERM)


def held(admin: Engine) -> int:
    """How many connections are inside a transaction; an idle connection of a pool is not.

    MariaDB and MySQL renew this table only if it has not been read for 0.1 s.
    """
    time.sleep(0.15)
    with admin.connect() as connection:
        return connection.scalar(text("SELECT COUNT(*) FROM information_schema.innodb_trx"))


def opened(admin: Engine) -> int:
    """How many connections the server has accepted so far, but for those of this engine."""
    with admin.connect() as connection:
        row = connection.execute(text("SHOW GLOBAL STATUS LIKE 'Connections'")).one()
    return int(row[1])


def until_held(admin: Engine, number: int) -> None:
    """Wait until as many connections are inside a transaction."""
    until(lambda: held(admin) == number, f"{number} held", context=lambda: str(held(admin)))
