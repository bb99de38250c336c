"""What has to work on every supported server: runs, checks, faults, kinds of failures."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, text

from loadtest.database.application import DATABASE_URL
from loadtest.database.connection_errors import TABLE_RIGHTS
from loadtest.database.preflight.occupancy import occupancy
from loadtest.database.preflight.server_probe import probe_server
from loadtest.database.private_server import PrivateServer
from loadtest.model.interval import total
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, without_database
from tests.database.test_failures import *  # noqa: F403 - the same tests, on other servers
from tests.database.test_private_server import (  # noqa: F401 - the same tests, on other servers
    test_it_does_not_run_as_root,
    test_it_listens_on_loopback_only,
    test_its_password_stands_in_no_process_list_and_no_file,
    test_nobody_else_gets_in,
)
from tests.experiment.outcomes import recovered
from tests.processes import loadtest_command, running, so_far, stop_with, until
from tests.survival.scene import run_files

pytestmark = [pytest.mark.database, pytest.mark.each_server]
Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
ORDER_FLOW = ROOT / "scenarios" / "order_flow.py"
DATABASE_DOWN = ROOT / "scenarios" / "_database_down.py"


def at(url: URL) -> dict[str, str]:
    """The environment of a command that uses this address as a database of a person's."""
    return {**without_database(), DATABASE_URL: url.render_as_string(hide_password=False)}


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
    ended = loadtest("run", ORDER_FLOW, *load, env=at(few))
    assert ended.returncode in (0, 4), ended.stderr  # 4: a busy machine

    run = read_run(next(tmp_path.glob("latest/runs/*.jsonl")))
    counters = total(run.measured()).counters
    assert counters["requests"] > 20
    assert counters["failures"] == 0
    assert run.header.server.version.startswith(server.program.version)
    assert run.header.server.variables["transaction_isolation"] == "REPEATABLE-READ"
    told = [one for one in run.server if one.period == "measured"]
    assert sum(one.counters["questions"] for one in told) > 50
    assert sum(one.counters["cpu"] for one in told) > 0
    assert max(one.gauges["threads_connected"].max for one in told) >= 5
    # One TLS context serves all connections.
    assert all(one.counters["tls_contexts"] <= 1 for one in run.intervals)
    assert occupancy(few).of_account == 0
    with admin.connect() as connection:
        assert connection.execute(text("SHOW TABLES")).all() == []


def test_the_doctor_finds_it_ready(loadtest: Loadtest, server: PrivateServer) -> None:
    ended = loadtest("doctor", "--pool", "20+0", "-u", 20, "--json", env=at(server.url))
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert server.program.version in told["server"]
    assert {check["code"] for check in told["checks"]} >= {"max_connections", "driver"}


def test_a_restart_in_the_middle_of_a_run_is_survived_and_no_payment_is_lost(
    server: PrivateServer, tmp_path: Path
) -> None:
    name = server.program.kind
    load = ("-u", 4, "-t", "80s", "--warmup", "0s", "--fault", "restart@2s+200ms", "--quiet")
    where = ("--server", f"{name}:{server.program.path}", "--results", tmp_path / "results")
    command = loadtest_command("run", DATABASE_DOWN, "--option", "down_pause=0.1", *load, *where)
    with running(tmp_path / "log", *command) as process:
        files = process.until(lambda: run_files(tmp_path), "a result")
        process.until(lambda: recovered(so_far(files[0])), "seconds after the restart")
        assert stop_with(process, signal.SIGINT) in (0, 4), process.output

    run = read_run(files[0])
    assert run.footer is not None
    (fault,) = run.footer.faults
    assert fault.problem is None
    begin, end = fault.begin, fault.end
    assert begin
    assert end
    done = [one for one in run.measured() if one.counters["requests"] > one.counters["failures"]]
    assert any(one.second < int(begin) for one in done)
    assert any(one.second > end for one in done)
    counters = total(list(run.measured())).counters
    assert counters["failures"] > 0
    assert counters["errors.other"] == 0
    assert run.header.server.name == name
    (pool,) = json.loads((files[0].parent.parent / "summary.json").read_text())["pools"]
    (restart,) = pool["faults"]
    assert restart["checked"] > 20
    assert (restart["lost"], restart["doubled"] >= 0) == (0, True)


def test_tls_is_there_and_can_be_left_out(server: PrivateServer) -> None:
    assert probe_server(server.url).tls
    assert not probe_server(server.url.update_query_dict({"ssl_disabled": "true"})).tls


@pytest.mark.long
def test_a_killed_tool_leaves_no_server(server: PrivateServer, tmp_path: Path) -> None:
    where = ("--server", f"x:{server.program.path}", "--results", tmp_path, "--quiet")
    command = loadtest_command("run", ORDER_FLOW, "-u", 2, "-t", "60s", *where)
    with running(tmp_path / "log", *command) as process:
        process.until(lambda: list(tmp_path.glob("*/runs/*.jsonl")), "a result")
        (its,) = [one for one in process.alive() if one.name() in ("mariadbd", "mysqld")]
        folder = Path(next(a for a in its.cmdline() if a.startswith("--tmpdir="))[9:])
        assert folder.exists()
        process.process.send_signal(signal.SIGKILL)
        until(process.gone, "everything to end", context=lambda: str(process.alive()))
    assert not folder.exists()
