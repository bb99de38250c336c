"""What has to work on every supported server: runs, checks, faults, and that nothing is left."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from loadtest.database.occupancy import occupancy
from loadtest.database.preflight import RIGHTS, look
from loadtest.database.private import PrivateServer
from loadtest.interval import total
from loadtest.results import read_run
from tests.conftest import ROOT
from tests.database.test_private_server import (  # noqa: F401 - the same tests, on other servers
    test_it_does_not_run_as_root,
    test_it_listens_on_loopback_only,
    test_its_password_stands_in_no_process_list_and_no_file,
    test_nobody_else_gets_in,
)
from tests.processes import loadtest_command, running, until

pytestmark = [pytest.mark.database, pytest.mark.each_server]
ORDER_FLOW = ROOT / "scenarios" / "order_flow.py"


def at(server: PrivateServer) -> dict[str, str]:
    """The environment of a command that uses this server as a database of a person's."""
    return {"LOADTEST_DATABASE_URL": server.url.render_as_string(hide_password=False)}


def test_a_run_measures_the_server_too(server: PrivateServer, tmp_path: Path) -> None:
    load = ("-u", 5, "-t", "2s", "--warmup", "1s", "--results", tmp_path, "--quiet")
    command = loadtest_command("run", ORDER_FLOW, *load)
    with running(tmp_path / "log", *command, env=at(server)) as process:
        assert process.wait() in (0, 4), process.output  # 4: a busy machine

    run = read_run(next(tmp_path.glob("latest/runs/*.jsonl")))
    measured = list(run.measured())
    assert sum(one.counters["requests"] for one in measured) > 20
    assert sum(one.counters["failures"] for one in measured) == 0
    assert run.header["server"]["version"].startswith(server.program.version)
    assert run.header["server"]["variables"]["transaction_isolation"] == "REPEATABLE-READ"
    told = [one for one in run.server if one.period == "measured"]
    assert sum(one.counters["questions"] for one in told) > 50
    assert sum(one.counters["cpu"] for one in told) > 0
    assert max(one.gauges["threads_connected"].max for one in told) >= 5
    # One TLS context serves all connections.
    assert all(one.counters["tls_contexts"] <= 1 for one in run.intervals)


def test_the_doctor_finds_it_ready(server: PrivateServer, tmp_path: Path) -> None:
    command = loadtest_command("doctor", "--pool", "20+0", "-u", 20, "--json")
    with running(tmp_path / "log", *command, env=at(server)) as process:
        assert process.wait() == 0, process.output
    told = json.loads(process.output)
    assert server.program.version in told["server"]
    assert {check["code"] for check in told["checks"]} >= {"max_connections", "driver"}


def test_a_restart_in_the_middle_of_a_run_is_survived(
    server: PrivateServer, tmp_path: Path
) -> None:
    name = server.program.kind
    load = ("-u", 4, "-t", "10s", "--warmup", "1s", "--fault", "restart@2s+500ms", "--quiet")
    where = ("--server", f"{name}:{server.program.path}", "--results", tmp_path)
    command = loadtest_command("run", ORDER_FLOW, *load, *where)
    with running(tmp_path / "log", *command) as process:
        assert process.wait() in (0, 4), process.output
        until(process.gone, "everything to end", context=lambda: str(process.alive()))

    run = read_run(next(tmp_path.glob("latest/runs/*.jsonl")))
    assert run.footer is not None
    (fault,) = run.footer["faults"]
    assert "problem" not in fault
    begin, end = fault["begin"], fault["end"]
    done = [one for one in run.measured() if one.counters["requests"] > one.counters["failures"]]
    assert any(one.second < int(begin) for one in done)
    assert any(one.second > end for one in done)
    counters = total(list(run.measured())).counters
    assert counters["failures"] > 0
    assert counters["errors.other"] == 0
    assert run.header["server"]["name"] == name


def test_tls_is_there_and_can_be_left_out(server: PrivateServer) -> None:
    assert look(server.url).tls
    assert not look(server.url.update_query_dict({"ssl_disabled": "true"})).tls


def test_the_rights_that_are_named_make_a_scenarios_tables(
    server: PrivateServer, admin: Engine, tmp_path: Path
) -> None:
    with admin.connect() as connection:
        connection.execute(text("CREATE USER few@'127.0.0.1' IDENTIFIED BY 'few-rights'"))
        connection.execute(text(f"GRANT {RIGHTS} ON {server.url.database}.* TO few@'127.0.0.1'"))
    url = server.url.set(username="few", password="few-rights")
    load = ("-u", 2, "-t", "2s", "--warmup", "1s", "--results", tmp_path, "--quiet")
    command = loadtest_command("run", ORDER_FLOW, *load)
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)}
    with running(tmp_path / "log", *command, env=environment) as process:
        assert process.wait() in (0, 4), process.output
    assert occupancy(url).of_account == 0
    with admin.connect() as connection:
        assert connection.execute(text("SHOW TABLES")).all() == []
        connection.execute(text("DROP USER few@'127.0.0.1'"))


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
