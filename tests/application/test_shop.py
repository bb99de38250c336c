"""A shop that knows nothing of being tested, as it is and with other pools."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, inspect, text

from loadtest.interval import total
from loadtest.results import Run, read_run
from tests.conftest import ROOT, without_database
from tests.processes import free_port, run_locust

pytestmark = pytest.mark.database
HERE = Path(__file__).parent
BUYING = "tests/application/buying.py"
LOAD = ("-u", 10, "-t", "2s", "--warmup", "1s")
Loadtest = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shop(url: URL, admin: Engine) -> dict[str, str]:
    """The environment that the shop needs, its tables made by itself."""
    address = {"SHOP_DATABASE_URL": url.render_as_string(hide_password=False)}
    environment = {**without_database(), **address}
    subprocess.run([sys.executable, "-m", "shop"], cwd=HERE, env=environment, check=True)
    assert {"article", "shop_order"} <= set(inspect(admin).get_table_names())
    return environment


def only_run(folder: Path) -> Run:
    (path,) = folder.glob("latest/runs/*.jsonl")
    return read_run(path)


def in_use(run: Run) -> int:
    return max(interval.gauges["in_use"].max for interval in run.intervals)


def orders(admin: Engine) -> int:
    with admin.connect() as connection:
        return int(connection.scalar(text("SELECT COUNT(*) FROM shop_order")) or 0)


def test_it_is_measured_as_it_is(
    loadtest: Loadtest, shop: dict[str, str], admin: Engine, url: URL, tmp_path: Path
) -> None:
    before = orders(admin)
    ended = loadtest(
        *("run", BUYING, "--session", "shop.db:Session", *LOAD, "--results", tmp_path), env=shop
    )

    assert ended.returncode in (0, 4), ended.stderr  # 4: on a busy machine it says so
    run, whole = only_run(tmp_path), total(only_run(tmp_path).intervals)
    assert run.header["application"] == "shop.db:Session"
    assert run.header["pool"] == {
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
    assert "--session shop.db:Session" in run.header["command"]
    assert run.header["server"]["private"] is False
    assert run.server, "the server was asked, too"
    assert whole.counters["failures"] == 0
    assert whole.counters["checkouts"] >= whole.counters["requests"] > 20
    assert 1 <= in_use(run) <= 5
    assert orders(admin) > before
    page = (tmp_path / "latest" / "report.html").read_text()
    assert "shop.db:Session" in page
    left = [
        p.read_text() for p in (tmp_path / "latest").rglob("*") if p.suffix in (".jsonl", ".log")
    ]
    assert not any(str(url.password) in text for text in [page, ended.stdout, ended.stderr, *left])


def test_its_command_does_it_again(shop: dict[str, str], tmp_path: Path) -> None:
    def run(name: str, *arguments: Any) -> Run:
        result = tmp_path / f"{name}.jsonl"
        ended = run_locust(tmp_path / "log", *arguments, "--results", result, env=shop)
        assert ended.wait() == 0, ended.output
        return read_run(result)

    first = run("first", "-f", BUYING, "--headless", "-t", "2s", "--engine", "shop.db:engine")
    again = run("again", *first.header["command"].split()[1:])
    replaced = ("--pool-size", 5, "--max-overflow", 10)  # SQLAlchemy's defaults, asked for
    other = run(
        "other", *first.header["command"].split()[1:-4], *replaced, "--engine", "shop.db:engine"
    )
    last = run("last", *other.header["command"].split()[1:])

    assert first.header["application"] == "shop.db:engine"
    assert [r.header["pool"]["name"] for r in (first, again)] == ["as-is", "as-is"]
    assert first.header["pool"] == again.header["pool"]
    assert [r.header["pool"]["name"] for r in (other, last)] == ["5+10", "5+10"]


def test_its_own_pool_is_compared_with_others(
    loadtest: Loadtest, shop: dict[str, str], tmp_path: Path
) -> None:
    experiment = tmp_path / "buying.toml"
    settings = (HERE / "buying.toml").read_text().replace("rounds = 5", "rounds = 2")
    short = settings.replace('"buying.py"', f'"{HERE / "buying.py"}"').replace('"4s"', '"2s"')
    experiment.write_text(short.replace("users = 40", "users = 10"))

    ended = loadtest("compare", experiment, "--results", tmp_path / "results", env=shop)

    assert ended.returncode in (0, 4, 5), ended.stderr
    summary = json.loads((tmp_path / "results/latest/summary.json").read_text())
    assert summary["experiment"]["application"] == "shop.db:Session"
    sizes = {
        pool["name"]: (pool["pool"]["pool_size"], pool["pool"]["max_overflow"], pool["rounds"])
        for pool in summary["pools"]
    }
    assert sizes == {"as-is": (3, 2, 2), "10+0": (10, 0, 2), "20+0": (20, 0, 2)}
    assert [pool["errors"]["by_kind"] for pool in summary["pools"]] == [{}, {}, {}]


def test_one_pool_is_replaced_and_all_else_stays(
    loadtest: Loadtest, shop: dict[str, str], tmp_path: Path
) -> None:
    given = ("--session", "shop.db:Session", "--pool", "1+0", *LOAD, "--results", tmp_path)
    ended = loadtest("run", BUYING, *given, env=shop)

    assert ended.returncode in (0, 4), ended.stderr
    run = only_run(tmp_path)
    assert run.header["pool"]["name"] == "1+0"
    assert in_use(run) == 1
    assert total(run.intervals).counters["tls_contexts"] == 0, "connect_args are the shop's"


AT_IMPORT = """
from locust import task
from sqlalchemy import text
from shop.db import Session, engine
from loadtest.load import PoolUser

with engine.connect() as connection:  # before Locust forks its workers
    connection.execute(text("SELECT 1"))

class Asking(PoolUser):
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
        *("-f", scenario, "--headless", "--only-summary", "-u", 20, "-r", 20, "-t", "3s"),
        *("--session", "shop.db:Session", "--processes", 2, "--results", result),
        *("--master-bind-port", port, "--master-port", port),
        env={**shop, "PYTHONPATH": f"{HERE}:{ROOT}"},
    )

    assert ended.wait() == 0, ended.output
    run = read_run(result)
    whole = total(run.intervals)
    assert len({interval.process for interval in run.intervals}) == 2
    assert whole.counters["requests"] > 100
    assert whole.counters["failures"] == 0, run.intervals[-1].examples
    assert (
        whole.counters["opened"]
        == whole.counters["checkouts.new"] + whole.counters["checkouts.overflow"]
    )


@pytest.mark.parametrize(
    ("poolclass", "limit"), [("StaticPool", 1), ("NullPool", None), ("AssertionPool", 1)]
)
def test_a_pool_of_any_class_is_measured(
    shop: dict[str, str], tmp_path: Path, poolclass: str, limit: int | None
) -> None:
    (tmp_path / "odd.py").write_text(
        f"import os\nfrom sqlalchemy import {poolclass}, create_engine\n"
        f"engine = create_engine(os.environ['SHOP_DATABASE_URL'], poolclass={poolclass},"
        " connect_args={'ssl_disabled': True})\n"
    )
    scenario, result = tmp_path / "one.py", tmp_path / "run.jsonl"
    scenario.write_text(
        "from locust import constant, task\nfrom sqlalchemy import text\n"
        "from loadtest.load import PoolUser\n\nclass One(PoolUser):\n"
        "    wait_time = constant(0.02)\n\n    @task\n    def one(self):\n"
        "        with self.session('one') as session:\n"
        "            session.execute(text('SELECT 1'))\n"
    )
    arguments = ("-f", scenario, "--headless", "--only-summary", "-t", "2s", "--results", result)
    ended = run_locust(tmp_path / "log", *arguments, "--engine", "odd:engine", env=shop)

    assert ended.wait() == 0, ended.output
    run = read_run(result)
    assert run.header["pool"]["poolclass"] == poolclass
    assert run.header["pool"]["pool_size"] is None
    whole = total(run.intervals)
    assert whole.counters["checkouts"] == whole.counters["requests"] > 10
    assert whole.counters["failures"] == 0
    report = subprocess.run(
        [sys.executable, "-m", "loadtest", "report", str(result), "-o", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert "as-is" in report.stdout
    assert poolclass in (tmp_path / "out" / "report.html").read_text()
    peak = max(interval.gauges["open"].max for interval in run.intervals)
    assert limit is None or peak == limit


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--engine", "shop.db:motor"), "shop.db has no motor, there is engine"),
        (("--engine", "shopp.db:engine"), "there is no module shopp"),
        (("--session", "shop.db:engine"), "--engine takes it"),
        (("--session", "shop.db:Session", "--engine", "shop.db:engine"), "give one of them"),
        (("--engine", "shop.db:engine", "--fault", "freeze@1s+1s"), "not with an applica"),
        (("--engine", "shop.db:engine", "--pool", "isolation_level=AUTOCOMMIT"), "own matter"),
        (("--pool", "as-is"), "as-is is an application's own pool"),
        (
            ("--engine", "shop.db:engine", "--database-url", "mysql+pymysql://me:s3cr3t@db/x"),
            "shop.db:engine has a database of its own: leave out --database-url",
        ),
    ],
)
def test_mistakes_end_before_anything_begins(
    loadtest: Loadtest, shop: dict[str, str], tmp_path: Path, arguments: Any, problem: str
) -> None:
    pools = ("--pool", "5+10", "--pool", "20+0")
    for command in (("run",), ("compare", "--dry-run", *pools)):
        ended = loadtest(*command, BUYING, *arguments, env=shop, cwd=ROOT)
        if command == ("run",) or "--pool" not in arguments or "as-is" in arguments:
            assert ended.returncode == 2, (command, ended.stdout, ended.stderr)
            assert ended.stderr.count(problem) == 1, ended.stderr
            assert "Traceback" not in ended.stderr
            assert "s3cr3t" not in ended.stderr


def test_locust_refuses_what_it_cannot_measure(shop: dict[str, str], tmp_path: Path) -> None:
    for arguments, problem in (
        (("--engine", "shop.db:motor"), "there is engine"),
        (
            ("--engine", "shop.db:engine", "--isolation-level", "AUTOCOMMIT"),
            "takes no isolation_level",
        ),
        (("--poolclass", "as-is"), "as-is is an application's own pool"),
    ):
        given = ("-f", BUYING, "--headless", "-t", "1s", "--results", tmp_path / "run.jsonl")
        ended = run_locust(tmp_path / "log", *given, *arguments, env=shop)
        assert ended.wait() == 2, ended.output
        assert problem in ended.output
        assert not (tmp_path / "run.jsonl").exists()


ASKING = """
from loadtest.load import PoolUser
from locust import task
from sqlalchemy import text

class Asking(PoolUser):
    @task
    def ask(self):
        with self.session("ask") as session:
            session.execute(text("SELECT 1"))
"""
ODD = """
import os
from blocking_driver import MySQLdb
from sqlalchemy import create_engine

engine = create_engine(os.environ["SHOP_DATABASE_URL"], module=MySQLdb)
"""
STANDS_STILL = "mysqlclient blocks the event loop"
BUILDS_CONTEXTS = "as the application does it, since PyMySQL builds a TLS context"


@pytest.fixture
def odd(shop: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment with an application that connects slowly, with a driver that blocks."""
    (tmp_path / "odd.py").write_text(ODD)
    (tmp_path / "asking.py").write_text(ASKING)
    return {**shop, "PYTHONPATH": f"{ROOT}:{HERE}"}  # it stands beside its scenario


def test_what_its_way_to_connect_costs_is_told_before_it_runs(
    loadtest: Loadtest, odd: dict[str, str], tmp_path: Path
) -> None:
    results = ("--results", tmp_path / "results", "--quiet")
    given = (tmp_path / "asking.py", "--engine", "odd:engine", "-u", 2, *results)
    said = [
        loadtest("run", *given, "-t", "1s", "--warmup", "0s", "--model", model, env=odd).stderr
        for model in ("greenlets", "threads")
    ]

    assert all(BUILDS_CONTEXTS in text for text in said), said
    assert STANDS_STILL in said[0]
    assert "on an OS thread (--model threads), or connect with mysql+pymysql://" in said[0]
    assert STANDS_STILL not in said[1], "threads are not stopped by it"


def test_locust_tells_what_its_way_to_connect_costs(odd: dict[str, str], tmp_path: Path) -> None:
    given = ("-f", tmp_path / "asking.py", "--headless", "-t", "1s", "--engine", "odd:engine")
    ended = run_locust(tmp_path / "log", *given, "--results", tmp_path / "run.jsonl", env=odd)
    assert ended.wait() == 0, ended.output
    assert STANDS_STILL in ended.output
    assert BUILDS_CONTEXTS in ended.output


def test_a_plan_asks_no_database(loadtest: Loadtest, odd: dict[str, str], tmp_path: Path) -> None:
    nowhere = {**odd, "SHOP_DATABASE_URL": "mysql+pymysql://me@127.0.0.1:9/x"}
    given = ("compare", tmp_path / "asking.py", "--engine", "odd:engine")
    pools = ("--pool", "as-is", "--pool", "20+0")
    assert loadtest(*given, *pools, "--dry-run", env=nowhere).returncode == 0
    refused = loadtest(*given, *pools, "--results", tmp_path / "none", env=nowhere)
    assert refused.returncode == 2
    assert "127.0.0.1:9" in refused.stderr
    assert not (tmp_path / "none").exists()
