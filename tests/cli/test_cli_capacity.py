"""`loadtest capacity` as a person meets it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

import pytest
from sqlalchemy import URL
from sqlalchemy.engine import Engine

from tests.conftest import without_database

Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
FLEET = ("--processes", 12, "--replicas", 5, "--surge", 1, "--pool", "20+10")


def capacity_of(url: URL) -> dict[str, str]:
    """The environment with a database's address."""
    address = url.render_as_string(hide_password=False)
    return {**os.environ, "LOADTEST_DATABASE_URL": address}


def test_what_does_not_fit_is_exit_code_3_with_the_verdict_first(loadtest: Loadtest) -> None:
    ended = loadtest("capacity", *FLEET, "--max-connections", 500)
    first, *lines = ended.stdout.splitlines()

    assert ended.returncode == 3, ended.stderr
    assert ended.stderr == ""
    assert first == (
        "The fleet does not fit: it can open 2,160 connections (72 processes × (20 + 10))."
    )
    said = "\n".join(lines)
    assert "room for 490 of max_connections = 500: 10 are kept in reserve." in said
    assert "error 1040" in said
    assert "pool_size=6, max_overflow=0 (432 connections)" in said
    assert "needs at least max_connections = 2170" in said


def test_what_fits_is_exit_code_0_and_so_is_the_pool_that_was_called_safe(
    loadtest: Loadtest,
) -> None:
    numbers = ("--processes", 12, "--replicas", 5, "--surge", 1, "--max-connections", 500)
    safe = loadtest("capacity", *numbers, "--pool", "6+0")
    next_larger = loadtest("capacity", *numbers, "--pool", "7+0")

    assert safe.returncode == 0, safe.stderr
    assert safe.stdout.startswith(
        "The fleet fits: it opens at most 432 connections (72 processes × (6 + 0))"
    )
    assert next_larger.returncode == 3


def test_json_has_the_same_answer(loadtest: Loadtest) -> None:
    ended = loadtest("capacity", *FLEET, "--max-connections", 500, "--others", 12, "--json")
    answer = json.loads(ended.stdout)

    assert ended.returncode == 3
    assert answer["schema"] == 1
    assert answer["fits"] is False
    assert answer["first"] == "running"
    assert answer["most_connections"] == 2160
    assert answer["needed"] == 2182
    assert [(step["name"], step["connections"], step["state"]) for step in answer["steps"]] == [
        ("running", 1200, "exceeds"),
        ("deploy", 1440, "exceeds"),
        ("all pools full", 1800, "exceeds"),
        ("deploy, all full", 2160, "exceeds"),
    ]
    assert answer["limits"] == [
        {
            "setting": "max_connections",
            "value": 500,
            "others": 12,
            "reserve": 10,
            "left": 488,
            "room": 478,
        }
    ]
    assert answer["safe"][-1] == {"pool_size": 6, "max_overflow": 0, "connections": 432}


@pytest.mark.parametrize(
    ("pools", "most"),
    [(("20+10", "1+0"), 310), (("main:20+10", "audit:poolclass=NullPool"), None)],
)
def test_several_engines_in_a_process_add_up(
    loadtest: Loadtest, pools: tuple[str, ...], most: int | None
) -> None:
    given = [word for pool in pools for word in ("--pool", pool)]
    ended = loadtest("capacity", "--processes", 10, *given, "--max-connections", 151, "--json")
    answer = json.loads(ended.stdout)

    assert ended.returncode == 3, ended.stderr
    assert answer["most_connections"] == most
    assert answer["fleet"]["pool"]["pool_size"] == 20
    assert len(answer["fleet"]["further_pools"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give --max-connections N, or the database with --database-url"),
        (("--max-connections", 100, "--pool", "as-is"), "the sizes are unknown here"),
        (("--max-connections", 100, "--pool", "many"), "'many' is not a setting"),
        (("--max-connections", 0), "must be at least 1 (got '0')"),
        (
            ("--max-connections", 100, "--processes", 0),
            "must be at least 1 (got '0')",
        ),
        (
            ("--database-url", "postgresql://u@h/d"),
            "a scenario's own engine supports MySQL and MariaDB only",
        ),
    ],
)
def test_mistakes_are_exit_code_2_and_one_message(
    loadtest: Loadtest, arguments: tuple[object, ...], message: str
) -> None:
    ended = loadtest("capacity", *arguments, env={**without_database(), "COLUMNS": "200"})

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_that_is_not_there_is_named_without_its_password(loadtest: Loadtest) -> None:
    nobody = URL.create("mysql+pymysql", "u", "s3cr3t-p4ssw0rd", "127.0.0.1", 1, "d")
    ended = loadtest("capacity", env=capacity_of(nobody))

    assert ended.returncode == 2
    assert ended.stderr.startswith("no database answers at 127.0.0.1:1")
    assert "s3cr3t" not in ended.stderr


@pytest.mark.database
def test_a_database_is_asked_for_its_limits_and_who_is_there(
    loadtest: Loadtest, url: URL, admin: Engine
) -> None:
    with admin.connect() as connection:
        limit = int(connection.exec_driver_sql("SELECT @@max_connections").scalar_one())
        version = connection.exec_driver_sql("SELECT VERSION()").scalar_one()
        ended = loadtest("capacity", "--reserve", 0, "--json", env=capacity_of(url))
    answer = json.loads(ended.stdout)

    assert ended.returncode == 0, ended.stderr
    assert answer["server"]["max_connections"] == limit
    assert answer["server"]["others"] >= 1
    assert answer["limits"][0]["room"] == limit - answer["server"]["others"]
    assert answer["server"]["version"] in version
    assert "privileged_account" in {finding["code"] for finding in answer["findings"]}
