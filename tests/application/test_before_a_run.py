"""What is told of an application before it runs: mistakes, and what its way to connect costs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadtest.experiment.rounds import check_scenario
from loadtest.model.experiment import Experiment
from loadtest.model.pool import parse_pool
from tests.conftest import ROOT, long
from tests.processes import run_locust

pytestmark = pytest.mark.server
HERE = Path(__file__).parent
BUYING = "tests/application/buying.py"
Loadtest = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--engine", "shop.db:motor"), "shop.db has no motor: use --engine shop.db:engine"),
        long(("--engine", "shopp.db:engine"), "there is no module shopp"),
        long(("--session", "shop.db:engine"), "use --engine shop.db:engine"),
        long(
            ("--session", "shop.db:Session", "--engine", "shop.db:engine"), "give only one of them"
        ),
        (("--engine", "shop.db:engine", "--fault", "freeze@1s+1s"), "not possible on an applica"),
        (
            ("--engine", "shop.db:engine", "--pool", "isolation_level=AUTOCOMMIT"),
            "own isolation_level",
        ),
        (("--pool", "as-is"), "as-is is an application's own pool"),
        (
            ("--engine", "shop.db:engine", "--database-url", "mysql+pymysql://me:s3cr3t@db/x"),
            "shop.db:engine has its own database: leave out --database-url",
        ),
    ],
)
def test_mistakes_end_before_anything_begins(
    loadtest: Loadtest, shop: dict[str, str], arguments: Any, problem: str
) -> None:
    ended = loadtest("run", BUYING, *arguments, env=shop, cwd=ROOT)
    assert ended.returncode == 2, (ended.stdout, ended.stderr)
    assert ended.stderr.count(problem) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "s3cr3t" not in ended.stderr


def test_a_plan_ends_with_the_same_mistakes(loadtest: Loadtest, shop: dict[str, str]) -> None:
    pools = ("--pool", "5+10", "--pool", "20+0")
    wrong = ("--engine", "shop.db:motor")
    ended = loadtest("compare", BUYING, *pools, "--dry-run", *wrong, env=shop, cwd=ROOT)
    assert ended.returncode == 2, (ended.stdout, ended.stderr)
    assert ended.stderr.count("shop.db has no motor: use --engine shop.db:engine") == 1, (
        ended.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--engine", "shop.db:motor"), "use --engine shop.db:engine"),
        long(
            ("--engine", "shop.db:engine", "--isolation-level", "AUTOCOMMIT"),
            "the application sets its own isolation_level; remove this setting",
        ),
        long(("--poolclass", "as-is"), "as-is is an application's own pool"),
    ],
)
def test_locust_refuses_what_it_cannot_measure(
    shop: dict[str, str], tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    given = ("-f", BUYING, "--headless", "-t", "1s", "--results", tmp_path / "run.jsonl")
    ended = run_locust(tmp_path / "log", *given, *arguments, env=shop)
    assert ended.wait() == 2, ended.output
    assert problem in ended.output
    assert not (tmp_path / "run.jsonl").exists()


ASKING = """
from loadtest.load import PoolUser
from locust import constant, task
from sqlalchemy import text

class Asking(PoolUser):
    wait_time = constant(0.02)

    @task
    def ask(self):
        with self.session("ask") as session:
            session.execute(text("SELECT 1"))
"""
ODD = """
import os

import slow_contexts
from blocking_driver import MySQLdb
from sqlalchemy import create_engine

engine = create_engine(os.environ["SHOP_DATABASE_URL"], module=MySQLdb)
"""
STANDS_STILL = "mysqlclient blocks the event loop"
BUILDS_CONTEXTS = "the way the application does it, because PyMySQL builds a TLS context"


@pytest.fixture
def odd(shop: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment with an application that connects slowly, with a driver that blocks."""
    (tmp_path / "odd.py").write_text(ODD)
    (tmp_path / "asking.py").write_text(ASKING)
    return {**shop, "PYTHONPATH": f"{ROOT}:{HERE}"}  # it stands beside its scenario


@pytest.mark.usefixtures("warm")
def test_what_its_way_to_connect_costs_is_told_before_it_runs(
    odd: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", odd)
    said = [
        " ".join(
            check_scenario(
                Experiment(
                    name="odd",
                    scenario=tmp_path / "asking.py",
                    engine="odd:engine",
                    load={"model": model},
                    pool=(parse_pool("poolclass=as-is"),),
                ),
                connect=True,
            ).warnings
        )
        for model in ("greenlets", "threads")
    ]

    assert all(BUILDS_CONTEXTS in text for text in said), said
    assert STANDS_STILL in said[0]
    assert "on an OS thread (--model threads), or connect with mysql+pymysql://" in said[0]
    assert STANDS_STILL not in said[1], "threads are not stopped by it"


@pytest.mark.long
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
