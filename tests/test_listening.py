"""Every port listens on loopback unless an option names another address."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from sqlalchemy import URL

from tests.processes import (
    Running,
    fetch,
    free_port,
    loadtest_command,
    locust_command,
    running,
)

POINT_SELECT = ("-f", "scenarios/point_select.py")


def listening(process: Running) -> dict[int, str]:
    """The ports on which a command and all that it started listen, and the addresses."""
    pids = {one.pid for one in process.alive()}
    return {
        connection.laddr[1]: connection.laddr[0]
        for connection in psutil.net_connections("inet")
        if connection.pid in pids and connection.status == psutil.CONN_LISTEN
    }


@pytest.mark.database
def test_locust_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    web, metrics, talk = free_port(), free_port(), free_port()
    ports = ("--web-port", web, "--metrics-port", metrics, "--master-bind-port", talk)
    command = locust_command(*POINT_SELECT, *ports, "--processes", 2, "--master-port", talk)
    with running(tmp_path / "log", *command) as process:
        process.until(lambda: fetch(f"http://127.0.0.1:{web}/metrics"), "the web UI")
        found = listening(process)

    assert {web, metrics, talk} < found.keys(), "and the private server"
    assert len(found) == 4
    assert set(found.values()) == {"127.0.0.1"}


@pytest.mark.server
def test_who_says_otherwise_gets_it(tmp_path: Path, url: URL) -> None:
    web, talk = free_port(), free_port()
    ports = ("--web-port", web, "--master-bind-port", talk, "--master")
    command = locust_command(*POINT_SELECT, *ports, "--master-bind-host", "0.0.0.0")
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)}
    with running(tmp_path / "log", *command, env=environment) as process:
        process.until(lambda: fetch(f"http://127.0.0.1:{web}/metrics"), "the web UI")
        found = listening(process)

    assert found[talk] == "0.0.0.0"
    assert found[web] == "127.0.0.1"


@pytest.mark.server
def test_a_run_with_a_relay_before_its_private_server(tmp_path: Path) -> None:
    run = ("run", "scenarios/point_select.py", "-u", 2, "-t", "4s", "--warmup", "0s", "--no-try")
    command = loadtest_command(
        *run, "--fault", "connect-delay:10ms", "--results", tmp_path / "results"
    )
    with running(tmp_path / "log", *command) as process:
        process.until(lambda: list(tmp_path.glob("results/*/runs/*.jsonl")), "the run")
        found = listening(process)

    assert len(found) == 2, "the relay and the private server"
    assert set(found.values()) == {"127.0.0.1"}
