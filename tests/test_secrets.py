"""The database's password: in no output, no file, no page and no process list."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from sqlalchemy import URL, Engine, text

from tests.processes import (
    Running,
    fetch,
    free_port,
    loadtest_command,
    locust_command,
    running,
    until,
)

pytestmark = pytest.mark.database
# With signs that an address has to have written otherwise.
PASSWORD = "s3cr3t/of:n0body@all%"
POINT_SELECT = "scenarios/point_select.py"
SHORT = ("-u", 2, "-t", "3s", "--warmup", "0s")
APPLICATION = """
import os
from sqlalchemy import create_engine
engine = create_engine(os.environ["OWN"], pool_size=2, max_overflow=0)
"""
PAGES = ("", "/pool", "/pool/data?since=0", "/metrics", "/stats/requests", "/logs", "/exceptions")
COMMANDS: dict[str, tuple[Any, ...]] = {
    "run": ("run", POINT_SELECT, "--pool", "2+0", *SHORT),
    "threads": ("run", POINT_SELECT, "--pool", "2+0", *SHORT, "--model", "threads"),
    "relay": ("run", POINT_SELECT, "--pool", "2+0", *SHORT, "--fault", "connect-delay:10ms"),
    "kill": ("run", POINT_SELECT, "--pool", "2+0", *SHORT, "--fault", "kill@1s"),
    "compare": ("compare", POINT_SELECT, "--pool", "1+0", "--pool", "2+0", "--rounds", 1, *SHORT),
    "tune": ("tune", POINT_SELECT, "-u", 2, "-t", "4s", "--warmup", "0s", "--at-most", 1),
    "doctor": ("doctor", "--pool", "2+0", "-u", 2),
    "capacity": ("capacity", "--pool", "2+0"),
}


@pytest.fixture(scope="module")
def secret(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """The address of an account whose password is known."""
    from sqlalchemy import create_engine

    admin = create_engine(server.url, connect_args={"ssl_disabled": True})
    account = "loadtest_secret@'127.0.0.1'"
    with admin.begin() as connection:
        connection.exec_driver_sql(f"CREATE USER {account} IDENTIFIED BY %s", (PASSWORD,))
        connection.execute(text(f"GRANT ALL ON {server.url.database}.* TO {account}"))
    yield server.url.set(username="loadtest_secret", password=PASSWORD)
    with admin.begin() as connection:
        connection.execute(text(f"DROP USER {account}"))
    admin.dispose()


def spoken(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def assert_silent(where: str, said: str) -> None:
    """Neither the password nor a part of it that only it has, however it is written."""
    for form in (PASSWORD, quote(PASSWORD, safe=""), "s3cr3t", "n0body"):
        assert form not in said, f"{where} tells {form!r}"


def assert_files_silent(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert_silent(str(path), path.read_bytes().decode(errors="replace"))


def watched(process: Running) -> dict[str, str]:
    """The command lines of a command and all that it starts, while it runs."""
    seen = {}
    while process.process.poll() is None:
        for one in process.alive():
            try:
                seen[str(one.pid)] = " ".join(one.cmdline())
            except psutil.Error:
                continue
        time.sleep(0.1)
    return seen


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_tells_it(tmp_path: Path, secret: URL, name: str) -> None:
    results = () if name in ("doctor", "capacity") else ("--results", tmp_path / "results")
    command = loadtest_command(*COMMANDS[name], *results)
    with running(tmp_path / "log", *command, env={"LOADTEST_DATABASE_URL": spoken(secret)}) as run:
        lines = watched(run)
        code = run.wait()

    assert code != 1, run.output
    assert len(lines) > (name != "capacity"), "more than the command itself"
    for pid, line in lines.items():
        assert_silent(f"process {pid}", line)
    assert_files_silent(tmp_path)


def test_an_application_tells_its_own_nowhere(tmp_path: Path, secret: URL) -> None:
    (tmp_path / "secretive.py").write_text(APPLICATION)
    environment = {
        "OWN": spoken(secret),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
    }
    own = ("--engine", "secretive:engine")
    commands = {
        "run": ("run", POINT_SELECT, *own, *SHORT, "--results", tmp_path / "results"),
        "doctor": ("doctor", *own),
    }
    for name, command in commands.items():
        log = tmp_path / f"{name}.log"
        with running(log, *loadtest_command(*command), env=environment) as run:
            lines = watched(run)
            assert run.wait() in (0, 4), run.output
        assert len(lines) > 1
        for pid, line in lines.items():
            assert_silent(f"process {pid}", line)
    assert_files_silent(tmp_path)


def test_an_address_among_the_arguments_goes_no_further(tmp_path: Path, secret: URL) -> None:
    command = loadtest_command(*COMMANDS["run"], "--results", tmp_path / "results")
    with running(tmp_path / "log", *command, "--database-url", spoken(secret)) as run:
        lines = watched(run)
        assert run.wait() in (0, 4), run.output

    lines.pop(str(run.process.pid))
    assert lines
    for pid, line in lines.items():
        assert_silent(f"process {pid}", line)
    assert_files_silent(tmp_path)


def test_no_page_and_no_process_of_locust_tells_it(tmp_path: Path, secret: URL) -> None:
    web, metrics, talk = free_port(), free_port(), free_port()
    ports = ("--web-port", web, "--metrics-port", metrics, "--master-bind-port", talk)
    workers = ("--processes", 2, "--master-port", talk, "--results", tmp_path / "results")
    users = ("-u", 2, "-r", 2, "--autostart")
    command = locust_command("-f", POINT_SELECT, *ports, *workers, *users)
    address = f"http://127.0.0.1:{web}"
    with running(tmp_path / "log", *command, env={"LOADTEST_DATABASE_URL": spoken(secret)}) as run:
        run.until(lambda: '"number": 1' in fetch(f"{address}/pool/data?since=0"), "a run")
        run.until(lambda: "loadtest_checkouts_total" in fetch(f"{address}/metrics"), "seconds")
        for page in PAGES:
            assert fetch(address + page), page
            assert_silent(page, fetch(address + page))
        assert_silent("the metrics", fetch(f"http://127.0.0.1:{metrics}/metrics"))
        for one in run.alive():
            assert_silent(f"process {one.pid}", " ".join(one.cmdline()))
        urllib.request.urlopen(urllib.request.Request(f"{address}/stop", method="POST")).close()
        run.until(lambda: list(tmp_path.glob("results/*/report.html")), "the report")
        assert_silent("the report", fetch(f"{address}/pool/report"))
    assert_files_silent(tmp_path)


def _elsewhere(url: URL) -> dict[str, str]:
    return {
        "a wrong password": spoken(url.set(password=PASSWORD + "x")),
        "nobody there": spoken(url.set(port=free_port())),
        "another database": spoken(url.set(database="elsewhere")),
        "a host that is none": spoken(url.set(host="host.invalid")),
        "an option that is none": spoken(url.update_query_dict({"klingon": "1"})),
        "an @ too many": f"mysql+pymysql://u:{PASSWORD}@127.0.0.1/d",
        "another kind": f"postgresql://u:{quote(PASSWORD, safe='')}@127.0.0.1/d",
        "no port": f"mysql+pymysql://u:{quote(PASSWORD, safe='')}@127.0.0.1:x/d",
    }


@pytest.mark.parametrize("what", _elsewhere(URL.create("mysql+pymysql")))
def test_no_failure_tells_it(tmp_path: Path, secret: URL, what: str) -> None:
    environment = {"LOADTEST_DATABASE_URL": _elsewhere(secret)[what]}
    commands = {
        "doctor": loadtest_command("doctor"),
        "run": loadtest_command("run", POINT_SELECT, *SHORT, "--results", tmp_path / "results"),
        "locust": locust_command("-f", POINT_SELECT, "--headless", "-t", "1s"),
    }
    for name, command in commands.items():
        with running(tmp_path / f"{name}.log", *command, env=environment) as run:
            code = run.wait()
        assert code == 2, run.output
        assert "Traceback" not in run.output
    assert_files_silent(tmp_path)


def test_a_server_that_goes_away_is_told_without_it(
    tmp_path: Path, secret: URL, admin: Engine
) -> None:
    command = loadtest_command(
        *("run", POINT_SELECT, "--pool", "2+0", "-u", 2, "-t", "4s", "--warmup", "0s"),
        *("--results", tmp_path / "results"),
    )
    lock = "ALTER USER loadtest_secret@'127.0.0.1' ACCOUNT"
    with (
        running(tmp_path / "log", *command, env={"LOADTEST_DATABASE_URL": spoken(secret)}) as run,
        admin.connect() as connection,
    ):
        until(lambda: list(tmp_path.glob("results/*/runs/*.jsonl")), "the run")
        connection.execute(text(f"{lock} LOCK"))
        rows = connection.execute(
            text("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'loadtest_secret'")
        )
        for (number,) in rows.all():
            connection.exec_driver_sql(f"KILL {number}")
        code = run.wait()
        connection.execute(text(f"{lock} UNLOCK"))

    assert code in (0, 1, 4), run.output
    assert "Traceback" not in run.output
    assert_files_silent(tmp_path)
