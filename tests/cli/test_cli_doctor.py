"""`loadtest doctor` as a person meets it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pymysql
import pytest
from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import OperationalError

from loadtest.database.preflight.situation import Demand
from loadtest.experiment import doctor
from loadtest.model.errors import UsageError
from loadtest.model.pool import parse_pool
from tests.cli.test_cli import at
from tests.conftest import without_database

Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
CODES = {
    *("open_files", "local_ports", "max_connections", "max_user_connections", "in_use"),
    *("wait_timeout", "driver", "tls_context", "pool_timeout", "machine_busy"),
}


def tables(connection: Connection) -> list[Any]:
    """The tables that the database has."""
    return list(connection.execute(text("SHOW TABLES")).all())


@pytest.mark.database
def test_without_a_database_a_private_one_is_looked_at(loadtest: Loadtest) -> None:
    ended = loadtest("doctor", "--pool", "pool_size=20,max_overflow=0,pool_recycle=3600")
    first, *rows, last = ended.stdout.splitlines()

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert first.endswith("at a private server")
    assert {row.split()[1] for row in rows if not row.startswith(" ")} == CODES
    assert last.endswith(" ok")
    assert "\x1b" not in ended.stdout


@pytest.mark.database
def test_what_would_be_refused_is_exit_code_2_and_comes_first(
    loadtest: Loadtest, url: URL, admin: Engine
) -> None:
    with admin.connect() as connection:
        usual = connection.scalar(text("SELECT @@max_connections"))
        connection.execute(text("SET GLOBAL max_connections = 100"))
        try:
            pools = ("--pool", "5+10", "--pool", "3000+inf", "-u", 300)
            ended = loadtest("doctor", *pools, "--json", env=at(url))
            agreed = loadtest("doctor", *pools, "--allow-overload", env=at(url))
        finally:
            connection.execute(text(f"SET GLOBAL max_connections = {usual}"))
    answer = json.loads(ended.stdout)
    first = answer["checks"][0]

    assert ended.returncode == 2
    assert answer["schema"] == 1
    assert answer["server"].endswith(f"at 127.0.0.1:{url.port}")
    assert {check["code"] for check in answer["checks"]} == CODES | {"unlimited"}
    assert (first["code"], first["severity"]) == ("max_connections", "error")
    assert first["evidence"]["connections"] == 300
    assert first["evidence"]["limit"] == 100
    assert "--allow-overload" in first["advice"]
    assert agreed.returncode == 0, agreed.stdout
    assert agreed.stdout.splitlines()[1].split()[:2] == ["warning", "max_connections"]


@pytest.mark.database
def test_what_is_measured_is_told_in_numbers_and_nothing_is_left_on_the_server(
    loadtest: Loadtest, url: URL, admin: Engine
) -> None:
    with admin.connect() as connection:
        have_ssl = connection.execute(text("SHOW VARIABLES LIKE 'have_ssl'")).first()
        before = tables(connection)
        ended = loadtest("doctor", "--json", env=at(url))
        assert ended.returncode == 0, ended.stderr
        assert tables(connection) == before
    checks = {check["code"]: check for check in json.loads(ended.stdout)["checks"]}

    handshake = checks["tls_context"]["evidence"]
    assert 0 < handshake["shared"] < handshake["own"]
    assert handshake["tls"] is (have_ssl is None or have_ssl[1] == "YES")  # MySQL 9 always has
    assert 0 < checks["driver"]["evidence"]["standstill"] < 1


@pytest.mark.database
def test_a_server_that_is_full_by_then_is_told_as_before_a_run(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OperationalError("", None, pymysql.OperationalError(1040, "Too many connections"))

    monkeypatch.setattr(doctor, "handshake", full)
    with pytest.raises(UsageError, match="is full"):
        doctor.situation_checks(url.render_as_string(False), Demand((parse_pool("5+10"),), 5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pool", "many"), "'many' is not a setting"),
        (("-u", 0), "must be at least 1"),
        (("--processes", 0), "must be at least 1"),
        (("--database-url", "mysql+pymysql://u:s3cr3t@127.0.0.1:9/d"), "no database answers at"),
    ],
)
def test_mistakes_are_exit_code_2_and_one_message(
    loadtest: Loadtest, arguments: tuple[Any, ...], message: str
) -> None:
    ended = loadtest("doctor", *arguments, env={**without_database(), "COLUMNS": "200"})

    assert ended.returncode == 2
    assert message in ended.stderr
    assert ended.stdout == ""
    assert "s3cr3t" not in ended.stderr
    assert "Traceback" not in ended.stderr
