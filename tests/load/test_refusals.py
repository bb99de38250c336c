"""Runs that cannot be: each ends with exit code 2, one message and nothing half done."""

import shlex
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import URL, Column, Engine, Integer, MetaData, Table, inspect, text

from loadtest.load.setup.scenario_tables import metadata_of
from loadtest.model.errors import UsageError
from loadtest.runfile.reader import read_run
from tests.processes import Running, locust_command, run_locust, running

pytestmark = pytest.mark.server
PASSWORD = "s3cr3t-p4ssw0rd"
LOCUSTFILE = """
from locust import constant, task
from sqlalchemy import Column, Integer, MetaData, Table
from loadtest.load import PoolUser

class Odd(PoolUser):
    wait_time = constant(0.05)
    metadata = MetaData()
    table = Table("{table}", metadata, Column("id", Integer, primary_key=True))

    @classmethod
    def fill(cls, session, options):
        {fill}

    @task
    def work(self):
        with self.session("work") as session:
            session.connection()
            {work}
"""


def locustfile(
    folder: Path, table: str = "loadtest_odd", fill: str = "pass", work: str = "pass"
) -> Path:
    path = folder / "odd.py"
    path.write_text(LOCUSTFILE.format(table=table, fill=fill, work=work))
    return path


def run(
    folder: Path, url: URL | str, *arguments: Any, scenario: Any = "scenarios/point_select.py"
) -> Running:
    """A short headless run whose results would go into the folder `results`."""
    if isinstance(url, URL):
        url = url.render_as_string(hide_password=False)
    more = ("-u", 3, "-r", 3, "-t", "1s", "--results", folder / "results")
    return run_locust(
        folder / "log",
        *("-f", scenario, "--headless", "--only-summary", *more, *arguments),
        env={"LOADTEST_DATABASE_URL": url},
    )


def assert_refused(ended: Running, folder: Path, message: str) -> None:
    """It ended as wrong usage, said why once, and left no result."""
    assert ended.wait() == 2, ended.output
    assert ended.output.count(message) == 1, ended.output
    assert "Traceback" not in ended.output
    assert not list(folder.glob("results/**/*.jsonl"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pool-size", "many"], "argument --pool-size: invalid int value: 'many'"),
        (["--warmup", "1s"], "--warmup 1s leaves no time to measure"),
    ],
)
def test_settings_that_cannot_be(
    tmp_path: Path, url: URL, arguments: list[str], message: str
) -> None:
    assert_refused(run(tmp_path, url, *arguments), tmp_path, message)


def test_several_wrong_settings_are_listed_at_once(tmp_path: Path, url: URL) -> None:
    ended = run(tmp_path, url, "--pool-size=-2", "--max-overflow=-2", "--pool-recycle=-2")

    assert_refused(ended, tmp_path, "pool settings: pool_size")
    assert ended.output.count("pool settings: ") == 3


@pytest.mark.long
def test_an_address_that_leads_nowhere(tmp_path: Path) -> None:
    ended = run(tmp_path, f"mysql+pymysql://me:{PASSWORD}@127.0.0.1:9/x")

    assert_refused(ended, tmp_path, "no database answers at 127.0.0.1:9")
    assert PASSWORD not in ended.output


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "cannot create a results folder in"),
        ("file.jsonl", "cannot write the result file"),
    ],
)
def test_results_that_cannot_be_written(tmp_path: Path, url: URL, name: str, message: str) -> None:
    (tmp_path / "occupied").write_text("by a file\n")

    ended = run(tmp_path, url, "--results", tmp_path / "occupied" / name)

    assert_refused(ended, tmp_path, f"{message} {tmp_path / 'occupied'}")
    assert "session  " not in ended.output, "no user did anything"


def test_a_disk_that_fills_up_ends_the_run_and_keeps_what_was_written(
    tmp_path: Path, url: URL
) -> None:
    result = tmp_path / "run.jsonl"
    arguments = ("-f", "scenarios/point_select.py", "--headless", "-u", 3, "--results", result)
    command = shlex.join(locust_command(*arguments, "--only-summary"))
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)}

    with running(
        tmp_path / "log", "bash", "-c", f"ulimit -f 8; exec {command}", env=environment
    ) as process:
        assert process.wait() == 1, process.output

    assert f"cannot write the result file {result}: File too large" in process.output
    run = read_run(result)
    assert run.intervals
    assert not run.finished
    assert result.stat().st_size == 8 * 1024


def test_a_metrics_port_that_is_taken(tmp_path: Path, url: URL) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        ended = run(tmp_path, url, "--metrics-port", port)

    assert_refused(ended, tmp_path, f"--metrics-port {port}: Address already in use")


@pytest.mark.long
def test_a_table_that_may_be_somebodys_is_not_touched(
    tmp_path: Path, url: URL, admin: Engine
) -> None:
    with admin.begin() as connection:
        connection.execute(text("CREATE TABLE customers (id INTEGER)"))
    try:
        ended = run(tmp_path, url, scenario=locustfile(tmp_path, table="customers"))
        tables = inspect(admin).get_table_names()
    finally:
        with admin.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS customers"))

    assert_refused(ended, tmp_path, "table 'customers': a run drops and recreates")
    assert "customers" in tables


@pytest.mark.parametrize("schema", ["shop", "loadtest_shop"])
def test_the_name_of_a_database_makes_no_table_ours(schema: str) -> None:
    metadata = MetaData()
    Table("customers", metadata, Column("id", Integer), schema=schema)
    with pytest.raises(
        UsageError,
        match=f"table '{schema}.customers': a run drops and recreates a scenario's tables",
    ):
        metadata_of([SimpleNamespace(metadata=metadata)])


def test_tables_that_cannot_be_filled_end_it_before_any_user_runs(tmp_path: Path, url: URL) -> None:
    path = locustfile(tmp_path, fill="raise ValueError('no rows today')")

    ended = run(tmp_path, url, scenario=path)

    assert ended.wait() != 0
    assert "no rows today" in ended.output
    assert not list(tmp_path.glob("results/**/*.jsonl"))


def test_tasks_that_fail_are_data(tmp_path: Path, url: URL) -> None:
    path = locustfile(tmp_path, work="raise RuntimeError('on purpose')")
    result = tmp_path / "result.jsonl"

    ended = run(tmp_path, url, "--results", result, scenario=path)

    assert ended.wait() == 0
    finished = read_run(result)
    assert finished.footer is not None
    counters = finished.footer.totals.counters
    assert counters["requests"] == counters["failures"] == counters["errors.other"] > 1
    assert finished.intervals[-1].gauges["in_use"].last == 0
    assert ended.output.count("Traceback") == 1, "the first is shown, the others are counted"
    assert (
        f"{counters['failures'] - 1} more requests failed with the same kind of error"
        in ended.output
    )
    assert "RuntimeError" in ended.output
