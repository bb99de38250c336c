"""A shop that knows nothing of being tested, as it is and with other pools."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from loadtest.database.private_server import PrivateServer
from loadtest.model.interval import total
from loadtest.runfile.reader import Run, read_run
from tests.application.test_before_a_run import ASKING
from tests.conftest import ROOT, engine_beside
from tests.processes import ended_here, free_port, locust_command, run_locust, running

pytestmark = pytest.mark.server
HERE = Path(__file__).parent
BUYING = "tests/application/buying.py"
Loadtest = Callable[..., subprocess.CompletedProcess[str]]


def in_use(run: Run) -> int:
    return max(interval.gauges["in_use"].max for interval in run.intervals)


def orders(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT COUNT(*) FROM shop_order")) or 0)


@dataclass
class Compared:
    """What a comparison of the shop's own pool with another left.

    orders: how many there were before, and how many afterwards.
    """

    folder: Path
    output: str
    orders: tuple[int, int]
    runs: dict[str, Run]


@pytest.fixture(scope="module")
def compared(
    shop: dict[str, str], server: PrivateServer, tmp_path_factory: pytest.TempPathFactory
) -> Compared:
    """The shop's experiment, one short round of it with its own pool and one of one connection."""
    folder = tmp_path_factory.mktemp("compared")
    said = (HERE / "buying.toml").read_text().partition("[[pool]]\npool_size = 10")[0]
    said += "[[pool]]\npool_size = 1\nmax_overflow = 0\n"
    said = said.replace('"buying.py"', f'"{HERE / "buying.py"}"').replace(
        "rounds = 5", "rounds = 1"
    )
    said = said.replace("users = 40", "users = 10").replace('duration = "4s"', 'duration = "2s"')
    (folder / "buying.toml").write_text(said)
    admin = engine_beside(server.url)
    assert {"article", "shop_order"} <= set(inspect(admin).get_table_names())
    before = orders(admin)
    command = ("compare", folder / "buying.toml", "--no-try", "--results", folder)
    ended = ended_here(folder / "log", *command, env=shop)
    assert ended.code in (4, 5), ended.output  # 4: on a busy machine it says so
    done = folder / "latest"
    runs = [read_run(path) for path in done.glob("runs/*.jsonl")]
    named = {run.pool_name: run for run in runs}
    return Compared(done, ended.output, (before, orders(admin)), named)


def test_its_own_pool_is_measured_as_it_is(compared: Compared, server: PrivateServer) -> None:
    run = compared.runs["as-is"]
    whole = total(run.intervals)
    assert run.header.application == "shop.db:Session"
    assert run.told["pool"] == {
        "name": "as-is",
        "poolclass": "QueuePool",
        "pool_size": 3,
        "max_overflow": 2,
        "pool_timeout": 5,
        "pool_recycle": -1,
        "pool_pre_ping": False,
        "pool_use_lifo": False,
        "pool_reset_on_return": "rollback",
        "isolation_level": None,
    }
    assert "--session shop.db:Session" in run.header.command
    assert run.header.server.private is False
    assert run.server, "the server was asked, too"
    assert whole.counters["failures"] == 0
    assert whole.counters["checkouts"] >= whole.counters["requests"] > 0
    assert 1 <= in_use(run) <= 5
    before, afterwards = compared.orders
    assert afterwards > before
    page = (compared.folder / "report.html").read_text()
    assert "shop.db:Session" in page
    left = [p.read_text() for p in compared.folder.rglob("*") if p.suffix in (".jsonl", ".log")]
    assert not any(str(server.url.password) in text for text in [page, compared.output, *left])


def test_its_own_pool_is_compared_with_another(compared: Compared) -> None:
    summary = json.loads((compared.folder / "summary.json").read_text())
    assert summary["experiment"]["application"] == "shop.db:Session"
    sizes = {
        pool["name"]: (pool["pool"]["pool_size"], pool["pool"]["max_overflow"], pool["rounds"])
        for pool in summary["pools"]
    }
    assert sizes == {"as-is": (3, 2, 1), "1+0": (1, 0, 1)}
    assert [pool["errors"]["by_kind"] for pool in summary["pools"]] == [{}, {}]


def test_one_pool_is_replaced_and_all_else_stays(compared: Compared) -> None:
    run = compared.runs["1+0"]
    assert run.header.pool.name == "1+0"
    assert in_use(run) == 1
    assert total(run.intervals).counters["tls_contexts"] == 0, "connect_args are the shop's"


def commanded(folder: Path, shop: dict[str, str], **arguments: Any) -> dict[str, Run]:
    """What Locust measures with these arguments, side by side."""
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(
                running(
                    folder / f"{name}.log",
                    *locust_command(*given, "--results", folder / f"{name}.jsonl"),
                    env=shop,
                )
            )
            for name, given in arguments.items()
        }
        for process in processes.values():
            assert process.wait() == 0, process.output
    return {name: read_run(folder / f"{name}.jsonl") for name in arguments}


@pytest.mark.long
def test_its_command_does_it_again(shop: dict[str, str], tmp_path: Path) -> None:
    given = ("-f", BUYING, "--headless", "-t", "1s", "--engine", "shop.db:engine")
    replaced = ("--pool-size", 5, "--max-overflow", 10)  # SQLAlchemy's defaults, asked for
    first = commanded(tmp_path, shop, own=given, other=(*given, *replaced))
    commands = {name: run.header.command.split()[1:] for name, run in first.items()}
    again = commanded(tmp_path, shop, **commands)

    for run in (first["own"], again["own"]):
        assert run.header.application == "shop.db:engine"
        assert run.header.pool.name == "as-is"
    assert first["own"].header.pool == again["own"].header.pool
    assert [r["other"].header.pool.name for r in (first, again)] == ["5+10", "5+10"]


AT_IMPORT = """
from locust import constant, task
from sqlalchemy import text
from shop.db import Session, engine
from loadtest.load import PoolUser

with engine.connect() as connection:  # before Locust forks its workers
    connection.execute(text("SELECT 1"))

class Asking(PoolUser):
    wait_time = constant(0.05)

    @task
    def who(self):
        with self.session("who") as session:
            mine = session.scalar(text("SELECT CONNECTION_ID()"))
            assert session.scalar(text("SELECT CONNECTION_ID()")) == mine
            assert Session() is session
"""


def test_workers_share_no_connection_that_was_open_when_they_were_forked(
    shop: dict[str, str], tmp_path: Path
) -> None:
    scenario, result, port = tmp_path / "asking.py", tmp_path / "run.jsonl", free_port()
    scenario.write_text(AT_IMPORT)
    ended = run_locust(
        tmp_path / "log",
        *("-f", scenario, "--headless", "--only-summary", "-u", 20, "-r", 20, "-t", "2s"),
        *("--session", "shop.db:Session", "--processes", 2, "--results", result),
        *("--master-bind-port", port, "--master-port", port),
        env={**shop, "PYTHONPATH": f"{HERE}:{ROOT}"},
    )

    assert ended.wait() == 0, ended.output
    run = read_run(result)
    whole = total(run.intervals)
    assert len({interval.process for interval in run.intervals}) == 2
    assert whole.counters["requests"] > 0
    assert whole.counters["failures"] == 0, run.intervals[-1].examples
    assert (
        whole.counters["opened"]
        == whole.counters["checkouts.new"] + whole.counters["checkouts.overflow"]
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("poolclass", "limit"),
    [
        ("NullPool", None),
        ("StaticPool", 1),
        ("AssertionPool", 1),
    ],
)
def test_a_pool_of_any_class_is_measured(
    shop: dict[str, str], tmp_path: Path, loadtest: Loadtest, poolclass: str, limit: int | None
) -> None:
    (tmp_path / "odd.py").write_text(
        f"import os\nfrom sqlalchemy import {poolclass}, create_engine\n"
        f"engine = create_engine(os.environ['SHOP_DATABASE_URL'], poolclass={poolclass},"
        " connect_args={'ssl_disabled': True})\n"
    )
    scenario, result = tmp_path / "one.py", tmp_path / "run.jsonl"
    scenario.write_text(ASKING)
    arguments = ("-f", scenario, "--headless", "--only-summary", "-t", "2s", "--results", result)
    ended = run_locust(tmp_path / "log", *arguments, "--engine", "odd:engine", env=shop)

    assert ended.wait() == 0, ended.output
    run = read_run(result)
    assert run.header.pool.poolclass == poolclass
    assert run.header.pool.pool_size is None
    whole = total(run.intervals)
    assert whole.counters["checkouts"] == whole.counters["requests"] > 0
    assert whole.counters["failures"] == 0
    assert "as-is" in loadtest("report", result, "-o", tmp_path / "out").stdout
    assert poolclass in (tmp_path / "out" / "report.html").read_text()
    peak = max(interval.gauges["open"].max for interval in run.intervals)
    assert limit is None or peak == limit
