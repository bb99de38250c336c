"""The snippet of `examples/`, an application whose database is the one that the tool gives it."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import URL
from sqlalchemy.orm import scoped_session

from loadtest.database.application import (
    DATABASE_URL,
    NeedsDatabase,
    database_in_environment,
    find_application,
)
from loadtest.model.interval import total
from loadtest.runfile.reader import Run, read_run
from tests.conftest import ROOT, without_database
from tests.processes import free_port, run_locust

EXAMPLES = ROOT / "examples"
SNIPPET = ("--session", "snippet:Session")
HOT_ROW, POINT_SELECT = "scenarios/hot_row.py", "scenarios/point_select.py"
SETTINGS = {"user": "me", "pass": "s3cr3t", "host": "db", "port": 3306, "dbname": "x"}
Loadtest = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment that the snippet is found in; nothing in it names a database."""
    return {**without_database(), "PYTHONPATH": f"{EXAMPLES}:{ROOT}"}


@pytest.fixture
def snippet(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, imported anew."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv(DATABASE_URL, "mysql+pymysql://me:a%40b%2Fc@db:3307/x")
    return importlib.reload(importlib.import_module("snippet"))


def runs_in(results: Path) -> list[Run]:
    return [read_run(path) for path in sorted(results.glob("latest/runs/*.jsonl"))]


def sizes(run: Run) -> tuple[int, int]:
    return run.header.pool.pool_size, run.header.pool.max_overflow


def test_its_settings_are_those_of_the_address(snippet: ModuleType) -> None:
    url = snippet.engine.url

    assert (url.username, url.password, url.host) == ("me", "a@b/c", "db")
    assert (url.port, url.database) == (3307, "x")
    assert snippet.engine.pool.size() == 3000


def test_it_builds_an_engine_from_a_mapping_and_keeps_it(snippet: ModuleType) -> None:
    session = snippet.get_session(SETTINGS)

    assert isinstance(session, scoped_session)
    assert session.get_bind() is snippet.engine
    assert snippet.engine.url.render_as_string(False) == "mysql+pymysql://me:s3cr3t@db:3306/x"


def test_a_password_is_pasted_into_the_address_as_it_is(snippet: ModuleType) -> None:
    snippet.get_session({**SETTINGS, "pass": "a%41"})
    assert snippet.engine.url.password == "aA"
    snippet.get_session({**SETTINGS, "pass": "s3@cr3t"})
    assert (snippet.engine.url.password, snippet.engine.url.host) == ("s3", "cr3t@db")


def test_it_waits_for_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATABASE_URL, raising=False)
    monkeypatch.delitem(sys.modules, "snippet", raising=False)
    with pytest.raises(NeedsDatabase, match=f"it reads {DATABASE_URL}, which is not set"):
        find_application("snippet:Session", "", [EXAMPLES])


def test_an_address_is_handed_on_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE_URL, "before")
    with database_in_environment("mysql+pymysql://me@db/x"):
        assert os.environ[DATABASE_URL] == "mysql+pymysql://me@db/x"
    with database_in_environment(""):
        assert DATABASE_URL not in os.environ
    assert os.environ[DATABASE_URL] == "before"


@pytest.mark.server
def test_it_is_measured_on_a_private_server(
    loadtest: Loadtest, environment: dict[str, str], tmp_path: Path
) -> None:
    load = ("-u", 5, "-t", "2s", "--warmup", "0s", "--no-try", "--results", tmp_path)
    ended = loadtest("run", HOT_ROW, *SNIPPET, *load, env=environment, cwd=ROOT)

    assert ended.returncode in (0, 4), ended.stderr  # 4: on a busy machine it says so
    (run,) = runs_in(tmp_path)
    whole = total(run.intervals)
    assert sizes(run) == (3000, -1)
    assert run.header.application == "snippet:Session"
    assert run.header.server.private is True
    assert whole.counters["requests"] > whole.counters["failures"]
    assert 0 < whole.counters["opened"] <= 5
    assert whole.counters["tls_contexts"] == whole.counters["opened"]
    assert "starting a private server" in ended.stderr
    assert "did not start" not in ended.stderr


IMPORTS_IT = """
from locust import constant, task
from snippet import Session
from sqlalchemy import text
from loadtest.load import PoolUser

class Asking(PoolUser):
    wait_time = constant(0.05)

    @task
    def ask(self):
        with self.session("ask"):
            Session.execute(text("SELECT 1"))
"""


@pytest.mark.long
@pytest.mark.server
def test_its_pool_is_compared_with_another(
    loadtest: Loadtest, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "asking.py").write_text(IMPORTS_IT)
    pools = ("--pool", "as-is", "--pool", "20+0", "--rounds", 1)
    load = ("-u", 10, "-t", "2s", "--warmup", "1s", "--results", tmp_path)
    ended = loadtest("compare", tmp_path / "asking.py", *SNIPPET, *pools, *load, env=environment)

    assert ended.returncode in (0, 4, 5), ended.stderr
    found = {run.header.pool.name: run for run in runs_in(tmp_path)}
    assert {name: sizes(run) for name, run in found.items()} == {
        "as-is": (3000, -1),
        "20+0": (20, 0),
    }
    for run in found.values():
        whole = total(run.intervals)
        assert whole.counters["requests"] > 0
        assert whole.counters["failures"] == 0
        assert run.header.server.private is True


@pytest.mark.server
def test_workers_are_told_the_address(environment: dict[str, str], tmp_path: Path) -> None:
    result, port = tmp_path / "run.jsonl", free_port()
    ended = run_locust(
        tmp_path / "log",
        *("-f", POINT_SELECT, "--headless", "--only-summary", "-u", 10, "-r", 10, "-t", "2s"),
        *(*SNIPPET, "--processes", 2, "--results", result),
        *("--master-bind-port", port, "--master-port", port),
        env=environment,
    )

    assert ended.wait() == 0, ended.output
    run = read_run(result)
    whole = total(run.intervals)
    assert sizes(run) == (3000, -1)
    assert len({interval.process for interval in run.intervals}) == 2
    assert whole.counters["requests"] > 0
    assert whole.counters["failures"] == 0


@pytest.mark.long
@pytest.mark.server
@pytest.mark.parametrize("by_option", [True, False])
def test_it_is_measured_on_a_database_that_is_given(
    loadtest: Loadtest, environment: dict[str, str], tmp_path: Path, url: URL, by_option: bool
) -> None:
    address = url.render_as_string(hide_password=False)
    given: tuple[Any, ...] = ("--database-url", address) if by_option else ()
    environment |= {} if by_option else {DATABASE_URL: address}
    load = ("-u", 5, "-t", "2s", "--warmup", "0s", "--no-try", "--results", tmp_path)
    ended = loadtest("run", POINT_SELECT, *SNIPPET, *load, *given, env=environment, cwd=ROOT)

    assert ended.returncode in (0, 4), ended.stderr
    (run,) = runs_in(tmp_path)
    assert run.header.server.private is False
    assert f"at 127.0.0.1:{url.port}, on a server that this tool did not start" in ended.stderr
    assert total(run.intervals).counters["requests"] > 0
    assert str(url.password) not in ended.stdout + ended.stderr


@pytest.mark.long
@pytest.mark.server
def test_the_doctor_looks_at_it_on_a_private_server(
    loadtest_process: Loadtest, environment: dict[str, str]
) -> None:
    ended = loadtest_process("doctor", *SNIPPET, "-u", 30, "--json", env=environment)

    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    found = {check["code"]: check for check in told["checks"]}
    assert told["server"].endswith("at a private server, as snippet:Session connects")
    assert found["max_connections"]["evidence"]["connections"] == 30
    assert found["unlimited"]["evidence"]["connections"] == 30
