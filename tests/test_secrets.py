"""The database's password: in no output, no file, no page and no process list."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from loadtest.model.interval import total
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, without_database
from tests.driving.applications import MEASURED, driving
from tests.processes import (
    ended_here,
    fetch,
    free_port,
    loadtest_command,
    locust_command,
    run_locust,
    running,
    so_far,
)

Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
# With signs that an address has to have written otherwise.
PASSWORD = "s3cr3t/of:n0body@all%"
POINT_SELECT = "scenarios/point_select.py"
SHORT = ("-u", 2, "-t", "2s", "--warmup", "0s", "--no-try", "--option", "point_rows=100")
# One pool, greenlets and threads, through a relay, and its connections are killed.
EXPERIMENT = f"""
name = "secretive"
scenario = "{ROOT / POINT_SELECT}"
rounds = 1
[load]
users = 2
duration = "4s"
warmup = "0s"
[options]
point_rows = 100
[[fault]]
kind = "connect-delay"
delay = "10ms"
[[fault]]
kind = "kill"
at = "1s"
[[pool]]
pool_size = 2
max_overflow = 0
"""
APPLICATION = """
import os
from sqlalchemy import create_engine
engine = create_engine(os.environ["OWN"], pool_size=2, max_overflow=0)
"""
PAGES = ("", "/pool", "/pool/data?since=0", "/metrics", "/stats/requests", "/logs", "/exceptions")
TUNE = ("tune", POINT_SELECT, "-u", 2, "-t", "4s", "--warmup", "0s", "--at-most", 1)


@pytest.fixture(scope="module")
def secret(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """The address of an account whose password is known."""
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


def command_lines(log: Path, *arguments: Any, env: dict[str, str] | None = None) -> list[str]:
    """The command lines of all that a command of the tool starts, after it has ended."""
    lines, begin = list[str](), subprocess.Popen.__init__

    def noted(self: Any, command: Sequence[Any], *given: Any, **options: Any) -> None:
        lines.append(" ".join(map(str, command)))
        begin(self, command, *given, **options)

    with mock.patch.object(subprocess.Popen, "__init__", noted):
        ended = ended_here(log, *arguments, env=env)
    assert ended.code in (0, 4, 5), ended.output
    assert lines, "a process of its own"
    return lines


@pytest.mark.server
def test_no_part_of_a_comparison_tells_it(tmp_path: Path, secret: URL) -> None:
    """Given as an argument, it goes no further than to the tool itself."""
    (tmp_path / "secretive.toml").write_text(EXPERIMENT)
    given = ("--model", "greenlets,threads", "--database-url", spoken(secret))
    results = ("--results", tmp_path / "results")
    lines = command_lines(
        tmp_path / "log", "compare", tmp_path / "secretive.toml", *given, *results
    )

    for part in ("locust", "loadtest.threads", "loadtest.experiment.faults.relay"):
        assert any(part in line for line in lines), part
    assert_silent("a process", "\n".join(lines))
    assert_files_silent(tmp_path)
    runs = [read_run(path) for path in tmp_path.glob("results/latest/runs/*.jsonl")]
    faults = [fault for run in runs if run.footer for fault in run.footer.faults]
    assert len(runs) == 2
    assert [fault.problem for fault in faults] == [None] * 4


@pytest.mark.server
def test_the_doctor_does_not_tell_it(tmp_path: Path, secret: URL) -> None:
    environment = {"LOADTEST_DATABASE_URL": spoken(secret)}
    lines = command_lines(tmp_path / "log", "doctor", "--pool", "2+0", env=environment)
    assert_silent("a process", "\n".join(lines))
    assert_files_silent(tmp_path)


@pytest.mark.server
def test_capacity_does_not_tell_it(loadtest: Loadtest, secret: URL) -> None:
    environment = {**without_database(), "LOADTEST_DATABASE_URL": spoken(secret)}
    ended = loadtest("capacity", "--pool", "2+0", "--json", env=environment)
    assert ended.returncode == 0, ended.stderr
    assert_silent("the command", ended.stdout + ended.stderr)


@pytest.mark.long
@pytest.mark.server
def test_a_search_does_not_tell_it(tmp_path: Path, secret: URL) -> None:
    environment = {"LOADTEST_DATABASE_URL": spoken(secret)}
    command = (*TUNE, "--results", tmp_path / "results")
    lines = command_lines(tmp_path / "log", *command, env=environment)
    assert_silent("a process", "\n".join(lines))
    assert_files_silent(tmp_path)


@pytest.mark.server
def test_an_application_tells_its_own_nowhere(tmp_path: Path, secret: URL) -> None:
    (tmp_path / "secretive.py").write_text(APPLICATION)
    environment = {
        "OWN": spoken(secret),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
    }
    own, results = ("--engine", "secretive:engine"), ("--results", tmp_path / "results")
    command = ("run", POINT_SELECT, *own, *SHORT, *results)
    lines = command_lines(tmp_path / "log", *command, env=environment)
    assert_silent("a process", "\n".join(lines))
    assert_files_silent(tmp_path)


def test_no_result_tells_those_in_the_commands_of_an_application(tmp_path: Path) -> None:
    """The application's own processes have them in their arguments, which is a warning."""
    login = f"shop:{quote(PASSWORD, safe='')}@"
    url = f"mysql://{login}127.0.0.1/shop"
    ready, command = driving(tmp_path, "-t", "2s", "--app-prepare", f"true {url}")
    command[command.index("--app") + 1] += f" {url}"
    command[command.index("--ready") + 1] = ready.replace("://", f"://{login}")
    ended = ended_here(tmp_path / "log", *command, cwd=tmp_path)
    assert ended.code in MEASURED, ended.output
    for option in ("--app", "--ready", "--app-prepare"):
        assert f"Warning: {option} contains a password" in ended.output
    assert_files_silent(tmp_path)


@pytest.mark.server
def test_no_page_and_no_process_of_locust_tells_it(tmp_path: Path, secret: URL) -> None:
    web, metrics, talk = free_port(), free_port(), free_port()
    ports = ("--web-port", web, "--metrics-port", metrics, "--master-bind-port", talk)
    workers = ("--processes", 2, "--master-port", talk, "--results", tmp_path / "run.jsonl")
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


@pytest.mark.server
@pytest.mark.parametrize("what", _elsewhere(URL.create("mysql+pymysql")))
def test_no_failure_tells_it(loadtest: Loadtest, secret: URL, what: str) -> None:
    address = {"LOADTEST_DATABASE_URL": _elsewhere(secret)[what]}
    ended = loadtest("doctor", env={**without_database(), **address})
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert_silent("the doctor", ended.stdout + ended.stderr)


@pytest.mark.server
def test_no_run_that_cannot_connect_tells_it(
    loadtest: Loadtest, tmp_path: Path, secret: URL
) -> None:
    address = {"LOADTEST_DATABASE_URL": _elsewhere(secret)["an option that is none"]}
    command = ("run", ROOT / POINT_SELECT, *SHORT, "--results", tmp_path / "results")
    ended = loadtest(*command, env={**without_database(), **address})
    by_hand = run_locust(tmp_path / "log", "-f", POINT_SELECT, "--headless", env=address)
    assert (ended.returncode, by_hand.wait()) == (2, 2), ended.stderr + by_hand.output
    assert "klingon" in ended.stderr
    for said in (ended.stdout, ended.stderr, by_hand.output):
        assert "Traceback" not in said
        assert_silent("the run", said)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


@pytest.mark.database
def test_a_server_that_goes_away_is_told_without_it(
    tmp_path: Path, secret: URL, admin: Engine
) -> None:
    command = loadtest_command(
        *("run", POINT_SELECT, "--pool", "2+0", "-u", 2, "-t", "60s", "--warmup", "0s"),
        *("--no-try", "--results", tmp_path / "results"),
    )

    def counted(name: str) -> int:
        runs = tmp_path.glob("results/point-select-*/runs/*.jsonl")
        return sum(total(so_far(path)).counters[name] for path in runs)

    environment = {"LOADTEST_DATABASE_URL": spoken(secret)}
    lock = "ALTER USER loadtest_secret@'127.0.0.1' ACCOUNT"
    with (
        running(tmp_path / "log", *command, env=environment, warm=True) as run,
        admin.connect() as connection,
    ):
        run.until(lambda: counted("requests"), "the first second")
        connection.execute(text(f"{lock} LOCK"))
        rows = connection.execute(
            text("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'loadtest_secret'")
        )
        for (number,) in rows.all():
            with suppress(OperationalError):  # it has ended meanwhile
                connection.exec_driver_sql(f"KILL {number}")
        run.until(lambda: counted("failures"), "failed requests")
        run.process.send_signal(signal.SIGINT)
        code = run.wait()
        connection.execute(text(f"{lock} UNLOCK"))

    assert code in (0, 1, 4), run.output
    assert "Traceback" not in run.output
    assert_files_silent(tmp_path)
