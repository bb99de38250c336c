"""Applications with other drivers than PyMySQL: measured, and told what their driver does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from loadtest.database.application import Application
from loadtest.database.engine import parent_session
from loadtest.database.supervisor import die_with_parent
from loadtest.load.setup.driver_probe import probe_driver
from loadtest.model.interval import total
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, without_database
from tests.processes import until

pytestmark = pytest.mark.database
# Of each: the driver's name, the scheme of its URL, and how it connects.
ENGINES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "pymysql": ("PyMySQL", "mysql+pymysql", {"ssl_disabled": True}),
    "mysqlclient": ("mysqlclient", "mysql+mysqldb", {}),
    "connector": (
        *("mysql-connector-python (pure Python)", "mysql+mysqlconnector"),
        {"use_pure": True, "ssl_disabled": True},
    ),
}
APPLICATION = """
import os
from sqlalchemy import create_engine, make_url

url = make_url(os.environ["APPLICATION_URL"])
for name, (_, scheme, arguments) in {engines!r}.items():
    globals()[name] = create_engine(
        url.set(drivername=scheme), pool_size=4, connect_args=arguments
    )
"""
SCENARIO = """
from loadtest.load import PoolUser
from locust import constant, task
from sqlalchemy import text

class Asking(PoolUser):
    wait_time = constant(0.01)

    @task
    def ask(self):
        with self.session("ask") as session:
            assert session.scalar(text("{query}")) == {answer}
"""


@pytest.fixture
def application(url: URL, tmp_path: Path) -> dict[str, str]:
    """The environment of an application that has an engine of each driver."""
    (tmp_path / "drivers_app.py").write_text(APPLICATION.format(engines=ENGINES))
    address = url.render_as_string(hide_password=False)
    folders = os.pathsep.join(map(str, (tmp_path, ROOT)))
    return {**without_database(), "APPLICATION_URL": address, "PYTHONPATH": folders}


def with_threads(
    engine: str, query: str, answer: int, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Two seconds of users that are threads."""
    (folder / "asking.py").write_text(SCENARIO.format(query=query, answer=answer))
    command = [
        *(sys.executable, "-m", "loadtest.threads", "-f", folder / "asking.py", "--headless"),
        *("--only-summary", "-u", "4", "-r", "4", "-t", "2s", "--warmup", "0s"),
        *("--stop-timeout", "1", "--engine", f"drivers_app:{engine}"),
        *("--results", folder / "run.jsonl"),
    ]
    return subprocess.run(
        list(map(str, command)),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=die_with_parent,
    )


@pytest.mark.parametrize(
    "engine", ["mysqlclient", "connector", pytest.param("pymysql", marks=pytest.mark.long)]
)
def test_an_application_of_each_driver_is_measured(
    engine: str, application: dict[str, str], tmp_path: Path
) -> None:
    ended = with_threads(engine, "SELECT 42", 42, tmp_path, application)

    assert ended.returncode == 0, ended.stderr
    assert "event loop" not in ended.stderr, "threads are not stopped by it"
    counted = total(read_run(tmp_path / "run.jsonl").intervals).counters
    assert counted["checkouts"] == counted["requests"] > 0
    assert counted["failures"] == 0
    assert 1 <= counted["opened"] <= 4


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_driver_costs_and_whether_it_blocks_is_told(engine: str, url: URL) -> None:
    name, scheme, arguments = ENGINES[engine]
    made = create_engine(url.set(drivername=scheme), connect_args=arguments)
    application = Application(engine, made, parent_session(made), shared=False)

    connecting, driver = probe_driver(application, greenlets=True)

    blocks = engine == "mysqlclient"
    assert driver.evidence["driver"] == name
    assert driver.severity == ("warning" if blocks else "ok")
    assert ("blocks the event loop" in driver.message) is blocks
    assert ("--model threads" in driver.advice) is blocks
    assert connecting.severity == "ok"
    assert connecting.message.endswith(f"with {name} and without TLS")
    assert connecting.evidence["own"] == connecting.evidence["shared"] > 0


def test_a_thread_in_a_query_of_a_c_driver_is_ended_by_the_server(
    application: dict[str, str], tmp_path: Path, admin: Engine
) -> None:
    ended = with_threads("mysqlclient", "SELECT SLEEP(500)", 0, tmp_path, application)

    assert ended.returncode == 0, ended.stderr
    assert "threads did not end within 1 s" in ended.stderr
    asleep = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(500)'"
    with admin.connect() as connection:
        until(lambda: connection.scalar(text(asleep)) == 0, "the queries to end")
