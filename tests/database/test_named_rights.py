"""A run with only the rights that the documentation names, on every supported server."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, inspect, text

from loadtest.database.application import DATABASE_URL
from loadtest.database.connection_errors import TABLE_RIGHTS
from loadtest.database.preflight.occupancy import occupancy
from loadtest.database.private_server import PrivateServer
from loadtest.model.interval import total
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, without_database

pytestmark = pytest.mark.database
Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
ORDER_FLOW = ROOT / "scenarios" / "order_flow.py"


@pytest.fixture
def few(server: PrivateServer, admin: Engine) -> Iterator[URL]:
    """The server for an account that has only the rights that the documentation names."""
    with admin.connect() as connection:
        connection.execute(text("CREATE USER few@'127.0.0.1' IDENTIFIED BY 'few-rights'"))
        connection.execute(
            text(f"GRANT {TABLE_RIGHTS} ON {server.url.database}.* TO few@'127.0.0.1'")
        )
    yield server.url.set(username="few", password="few-rights")
    with admin.connect() as connection:
        connection.execute(text("DROP USER few@'127.0.0.1'"))


def test_with_the_rights_that_are_named_a_run_measures_the_server_too(
    loadtest: Loadtest, server: PrivateServer, admin: Engine, few: URL, tmp_path: Path
) -> None:
    load = ("-u", 5, "-t", "2s", "--warmup", "0s", "--results", tmp_path, "--quiet")
    environment = {**without_database(), DATABASE_URL: few.render_as_string(hide_password=False)}
    before = set(inspect(admin).get_table_names())  # what runs that were killed have left
    ended = loadtest("run", ORDER_FLOW, *load, env=environment)
    assert ended.returncode in (0, 4), ended.stderr  # 4: a busy machine

    run = read_run(next(tmp_path.glob("latest/runs/*.jsonl")))
    counters = total(run.measured()).counters
    assert counters["requests"] > 20
    assert counters["failures"] == 0
    assert run.header.server.version.startswith(server.program.version)
    assert "REPEATABLE-READ" in run.header.server.variables.values()
    told = [one for one in run.server if one.period == "measured"]
    assert sum(one.counters["questions"] for one in told) > 50
    assert sum(one.counters["cpu"] for one in told) > 0
    assert max(one.gauges["threads_connected"].max for one in told) >= 5
    # One TLS context serves all connections.
    assert all(one.counters["tls_contexts"] <= 1 for one in run.intervals)
    assert occupancy(few).of_account == 0
    assert set(inspect(admin).get_table_names()) <= before
