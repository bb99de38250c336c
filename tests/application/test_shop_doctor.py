"""`loadtest doctor` with an application: its own engine is looked at, in the way it connects."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.conftest import ROOT, long, without_database

pytestmark = pytest.mark.server
HERE = Path(__file__).parent
Doctor = Callable[..., "subprocess.CompletedProcess[str]"]
ODD = """
import os
import slow_contexts
from blocking_driver import MySQLdb
from sqlalchemy import StaticPool, create_engine
from sqlalchemy.orm import scoped_session, sessionmaker
print("an application that talks")
URL = os.environ["SHOP_DATABASE_URL"]
unlimited = create_engine(URL, max_overflow=-1)
blocking = create_engine(URL, poolclass=StaticPool, module=MySQLdb)
Everybodys = scoped_session(sessionmaker(unlimited), scopefunc=lambda: 1)
"""


@pytest.fixture
def doctor(loadtest_process: Doctor, url: URL, tmp_path: Path) -> Doctor:
    """Runs the command in an environment with the shop, and with a module `odd`."""
    (tmp_path / "odd.py").write_text(ODD)
    folders = os.pathsep.join(map(str, (HERE, tmp_path, ROOT)))
    address = {"SHOP_DATABASE_URL": url.render_as_string(hide_password=False)}
    environment = {**without_database(), **address, "PYTHONPATH": folders, "COLUMNS": "200"}

    def look(*arguments: Any) -> subprocess.CompletedProcess[str]:
        ended = loadtest_process("doctor", *arguments, env=environment)
        assert str(url.password) not in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        return ended

    return look


def checks(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The checks of an answer in JSON, by code."""
    assert ended.returncode == 0, ended.stderr
    return {check["code"]: check for check in json.loads(ended.stdout)["checks"]}


def test_its_own_pool_is_looked_at_as_it_is(doctor: Doctor, url: URL) -> None:
    ended = doctor("--session", "shop.db:Session", "-u", 40, "--json")
    found = checks(ended)

    server = json.loads(ended.stdout)["server"]
    assert server.endswith(f"at 127.0.0.1:{url.port}, as shop.db:Session connects")
    assert found["max_connections"]["evidence"]["connections"] == 3 + 2
    assert found["pool_timeout"]["evidence"]["pool"] == "as-is"
    assert found["pool_timeout"]["evidence"]["pool_timeout"] == 5
    assert "idle for longer are lost" in found["wait_timeout"]["message"]
    shared_by_all = found["tls_context"]["evidence"]
    assert shared_by_all["own"] == shared_by_all["shared"], "the shop has ssl_disabled"
    assert found["tls_context"]["severity"] == "ok"
    assert found["driver"]["severity"] == "ok"
    assert found["driver"]["evidence"]["driver"] == "PyMySQL"


def test_another_pool_may_take_its_place(doctor: Doctor) -> None:
    pools = ("--pool", "as-is", "--pool", "20+0")
    ended = doctor("--session", "shop.db:Session", *pools, "-u", 40, "--json")

    told = [one for one in json.loads(ended.stdout)["checks"] if one["code"] == "pool_timeout"]
    assert {one["evidence"]["pool"] for one in told} == {"as-is", "20+0"}
    assert checks(ended)["max_connections"]["evidence"]["connections"] == 20


def test_what_is_wrong_with_it_is_told(doctor: Doctor) -> None:
    found = checks(doctor("--engine", "odd:unlimited", "-u", 30, "--json"))

    assert "max_overflow = -1 no checkout waits" in found["unlimited"]["message"]
    assert found["unlimited"]["evidence"]["connections"] == 30
    handshake = found["tls_context"]
    assert handshake["severity"] == "warning"
    message = handshake["message"]
    assert "the way the application does it, because PyMySQL builds a TLS context" in message
    assert 0 <= handshake["evidence"]["shared"] < handshake["evidence"]["own"]


def test_a_pool_without_a_queue_cannot_time_out_and_a_driver_that_stands_still_is_named(
    doctor: Doctor,
) -> None:
    found = checks(doctor("--engine", "odd:blocking", "-u", 30, "--json"))

    assert not {"pool_timeout", "unlimited"} & found.keys()
    # Users that find its one connection missing at the same time open one each.
    assert found["max_connections"]["evidence"]["connections"] == 30
    assert found["driver"]["severity"] == "warning"
    assert found["driver"]["evidence"]["driver"] == "mysqlclient"
    assert "mysqlclient blocks the event loop" in found["driver"]["message"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        long(("--engine", "shop.db:motor"), "shop.db has no motor: use --engine shop.db:engine"),
        long(
            ("--engine", "shop.db:engine", "--session", "shop.db:Session"), "give only one of them"
        ),
        (("--session", "odd:Everybodys"), "returns the same value for all users"),
        (("--pool", "as-is"), "--pool as-is: as-is is an application's own pool"),
        (
            ("--engine", "shop.db:engine", "--pool", "isolation_level=AUTOCOMMIT"),
            "the application sets its own isolation_level",
        ),
        long(
            ("--engine", "shop.db:engine", "--database-url", "mysql+pymysql://u:s3cr3t@h/d"),
            "shop.db:engine has its own database: leave out --database-url",
        ),
    ],
)
def test_mistakes_are_one_message(doctor: Doctor, arguments: Any, problem: str) -> None:
    ended = doctor(*arguments)

    assert ended.returncode == 2, ended.stdout
    assert ended.stderr.count(problem) == 1, ended.stderr
    assert ended.stdout == ""
    assert "s3cr3t" not in ended.stderr
