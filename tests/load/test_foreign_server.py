"""A server that the tool did not start: what is said before, what is refused, what is left."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import URL, Connection, Engine, inspect, text

from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.summarize import summarize_runs
from loadtest.database.private_server import PrivateServer
from loadtest.database.server_guard import REFUSED
from loadtest.runfile.reader import read_run
from tests.processes import (
    Running,
    free_port,
    loadtest_command,
    locust_command,
    run_locust,
    running,
    stop_with,
)

POINT_SELECT = ("-f", "scenarios/point_select.py", "--headless", "--only-summary")
TABLE = "loadtest_point_item"
BYSTANDERS = ("customers", "loadtes_t", "myloadtest_point_item", "loadtest_other_team")


def processes(number: int) -> tuple[object, ...]:
    """Options for several processes, with a port of their own to talk on."""
    port = free_port()
    return ("--processes", number, "--master-bind-port", port, "--master-port", port)


def at(url: URL) -> dict[str, str]:
    return {"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)}


def locust(folder: Path, url: URL | None, *arguments: object) -> Running:
    """A short run, to its end; without an address on a private server."""
    more = ("-u", 3, "-r", 3, "-t", "1s", "--results", folder / "run.jsonl", *arguments)
    return run_locust(folder / "log", *POINT_SELECT, *more, env=at(url) if url else {})


@pytest.fixture
def connection(admin: Engine) -> Iterator[Connection]:
    with admin.connect() as connection:
        yield connection


@pytest.fixture
def few(connection: Connection) -> Iterator[int]:
    """How many connections the server lets in for as long as a test lasts."""
    before = connection.scalar(text("SELECT @@max_connections"))
    connection.execute(text("SET GLOBAL max_connections = 30"))
    yield 30
    connection.execute(text(f"SET GLOBAL max_connections = {before}"))


@pytest.fixture
def bystanders(admin: Engine) -> Iterator[None]:
    """Tables of others, with a row in each."""
    with admin.begin() as connection:
        for name in BYSTANDERS:
            connection.execute(text(f"CREATE TABLE {name} AS SELECT 42 AS answer"))
    yield
    with admin.begin() as connection:
        for name in BYSTANDERS:
            connection.execute(text(f"DROP TABLE IF EXISTS {name}"))


@pytest.mark.database
def test_it_says_before_what_it_is_about_to_do_and_leaves_only_what_others_made(
    tmp_path: Path, url: URL, admin: Engine, server: PrivateServer, bystanders: None
) -> None:
    before = set(inspect(admin).get_table_names())
    ended = locust(tmp_path, url, "--pool-size", 2, "--max-overflow", 1, "-t", "2s")

    assert ended.wait() == 0, ended.output
    told, _, after = ended.output.partition("Ramping to 3 users")
    assert after
    place = f"In the database loadtest at 127.0.0.1:{url.port}"
    assert f"{place}, on a server that this tool did not start" in told
    assert re.search(r"at most 4 connections at once \(3 in the pool, 1 to read", told)
    assert re.search(rf"\d+ of max_connections = {server.limit:,} are in use", told)
    assert f"drop, create and fill the tables {TABLE}, and drop them at the end" in told
    assert "run PointSelect with at most 3 users, for 2 s" in told
    assert "stop as soon as the server refuses connections of other clients" in told
    assert set(inspect(admin).get_table_names()) == before - {TABLE}
    with admin.connect() as connection:
        for name in BYSTANDERS:
            assert connection.scalar(text(f"SELECT answer FROM {name}")) == 42


@pytest.mark.server
@pytest.mark.long
def test_all_processes_are_counted_and_leave_nothing(
    tmp_path: Path, url: URL, admin: Engine
) -> None:
    pool = ("--pool-size", 1, "--max-overflow", 0)
    ended = locust(tmp_path, url, *pool, "-u", 4, "-t", "3s", *processes(2))

    assert ended.wait() == 0, ended.output
    assert "at most 3 connections at once (2 processes × 1 in the pool, 1 to read" in ended.output
    assert ended.output.count("a server that this tool did not start") == 1
    assert TABLE not in inspect(admin).get_table_names()
    assert "Traceback" not in ended.output


@pytest.mark.server
def test_tables_are_kept_where_they_are_to_be_kept(tmp_path: Path, url: URL, admin: Engine) -> None:
    said = locust(tmp_path, url, "--keep-tables").output
    kept = inspect(admin).get_table_names()
    drop(admin)

    assert f"the tables {TABLE}, and keep them" in said
    assert TABLE in kept


def drop(admin: Engine) -> None:
    with admin.begin() as connection:
        connection.execute(text(f"DROP TABLE {TABLE}"))


@pytest.mark.database
@pytest.mark.long
def test_tables_that_somebody_still_uses_are_named_and_left(
    tmp_path: Path, url: URL, admin: Engine
) -> None:
    arguments = (*POINT_SELECT, "-u", 2, "-r", 2, "--results", tmp_path / "run.jsonl")
    with (
        running(tmp_path / "log", *locust_command(*arguments), env=at(url)) as process,
        admin.connect() as connection,
    ):
        process.until(lambda: "All users spawned" in process.output, "the load")
        connection.execute(text(f"SELECT COUNT(*) FROM {TABLE}"))  # the transaction goes on
        code = stop_with(process, signal.SIGTERM)
    drop(admin)

    assert code == 0
    assert f"These tables could not be dropped: {TABLE}" in process.output
    assert "Traceback" not in process.output


@pytest.mark.server
@pytest.mark.long
def test_tables_that_somebody_uses_keep_a_run_from_beginning(
    tmp_path: Path, url: URL, admin: Engine
) -> None:
    """By the server's default it would wait for a day, and say nothing."""
    assert locust(tmp_path, url, "--keep-tables").wait() == 0
    with admin.connect() as connection:
        connection.execute(text(f"SELECT COUNT(*) FROM {TABLE}"))  # the transaction goes on
        refused = locust(tmp_path, url)
    drop(admin)

    assert refused.wait() == 2
    assert "another client has an open transaction on a table of the scenario" in refused.output
    assert "Traceback" not in refused.output


@pytest.mark.server
@pytest.mark.long
def test_a_command_says_what_it_had_to_leave(tmp_path: Path, url: URL, admin: Engine) -> None:
    load = ("-u", 2, "-t", "2s", "--warmup", "0s", "--results", tmp_path / "results")
    command = loadtest_command("run", "scenarios/point_select.py", *load)
    with (
        running(tmp_path / "log", *command, env=at(url)) as tool,
        admin.connect() as connection,
    ):
        tool.until(lambda: list(tmp_path.glob("results/*/runs/*.jsonl")), "the load")
        connection.execute(text(f"SELECT COUNT(*) FROM {TABLE}"))  # the transaction goes on
        assert tool.wait() in (0, 4), tool.output
    drop(admin)

    assert f"These tables still exist; drop them: {TABLE}\n" in tool.output
    assert "Traceback" not in tool.output


@pytest.mark.server
@pytest.mark.parametrize(
    "scenario",
    ["_forgotten_session", pytest.param("_nested_checkout", marks=pytest.mark.long)],
)
def test_connections_that_tasks_forgot_do_not_keep_the_tables(
    tmp_path: Path, url: URL, admin: Engine, scenario: str
) -> None:
    arguments = ("-f", f"scenarios/{scenario}.py", "--headless", "--only-summary", "-u", 4)
    pool = ("--pool-size", 4, "--max-overflow", 0, "--pool-timeout", 0.5)
    more = ("-r", 4, "-t", "2s", *pool, "--results", tmp_path / "run.jsonl")
    before = set(inspect(admin).get_table_names())  # what runs that were killed have left
    ended = run_locust(tmp_path / "log", *arguments, *more, env=at(url))

    assert ended.wait() == 0
    assert "could not be dropped" not in ended.output
    assert set(inspect(admin).get_table_names()) <= before


def _everybodys(server: PrivateServer) -> str:
    """What `FLUSH STATUS` needs beside that since MariaDB 11.5 to forget the most connections."""
    version = tuple(map(int, server.program.version.split(".")))
    return "GLOBAL" if server.program.kind == "mariadb" and version >= (11, 5) else ""


@pytest.mark.server
def test_tasks_that_want_more_than_was_announced_end_the_run(
    tmp_path: Path, url: URL, admin: Engine, server: PrivateServer
) -> None:
    """Two workers with two users each: a second connection for a user is beyond their shares."""
    with admin.connect() as connection:
        connection.execute(text(f"FLUSH {_everybodys(server)} STATUS"))
        before = int(connection.execute(text("SHOW STATUS LIKE 'Threads_connected'")).one()[1])
    scenario = ("-f", "tests/findings/scenarios/nested.py", "--headless", "--only-summary")
    load = ("-u", 4, "-r", 4, "-t", "60s", "--pool-size", 9, "--results", tmp_path / "run.jsonl")
    ended = run_locust(tmp_path / "log", *scenario, *load, *processes(2), env=at(url))
    with admin.connect() as connection:
        most = int(connection.execute(text("SHOW STATUS LIKE 'Max_used_connections'")).one()[1])

    result = read_run(tmp_path / "run.jsonl")
    assert ended.wait() == 4, ended.output
    assert "at most 5 connections at once (2 processes × 2 in the pool, 1 to read" in ended.output
    assert most <= before + 5
    assert result.footer
    assert re.fullmatch(
        r"more than announced: \S+ tried to open more than the 2 connections announced for each "
        r"process: tasks took a further connection while they held one \(.*\)",
        str(result.footer.end),
    )
    assert result.footer.totals.counters["errors.beyond_announced"] > 0
    summary = summarize_runs([result])
    assert not summary.pools[0].valid
    assert "more_than_announced" in {finding.code for finding in summary.pools[0].findings}
    assert verdict_exit_code(summary) == 4


@pytest.mark.server
def test_more_than_a_share_of_the_free_connections_is_refused(
    tmp_path: Path, url: URL, admin: Engine, few: int
) -> None:
    pool = ("--pool-size", 27, "--max-overflow", 0, "-u", 27)
    refused = locust(tmp_path, url, *pool)

    assert refused.wait() == 2
    assert "this run may open 27 connections, the server has room for" in refused.output
    assert "give --allow-overload if no other client needs the server" in refused.output
    assert not (tmp_path / "run.jsonl").exists()
    assert TABLE not in inspect(admin).get_table_names()


@pytest.mark.server
@pytest.mark.long
def test_who_agrees_may_take_more(tmp_path: Path, url: URL, few: int) -> None:
    pool = ("--pool-size", 27, "--max-overflow", 0, "-u", 27, "--allow-overload")
    ended = locust(tmp_path, url, *pool)

    assert ended.wait() == 0, ended.output
    assert "WARNING/loadtest: this run may open 27 connections" in ended.output
    assert "--allow-overload" in read_run(tmp_path / "run.jsonl").header.command


@pytest.mark.database
def test_a_pool_that_cannot_be_filled_is_told_in_a_sentence(
    tmp_path: Path, url: URL, few: int
) -> None:
    pool = ("--pool-size", 40, "--max-overflow", 0, "-u", 40, "--prefill", "--allow-overload")
    ended = locust(tmp_path, url, *pool, "-t", "60s")

    assert ended.wait() == 2, ended.output
    assert "is full (error 1040, too many connections)" in ended.output
    assert "Traceback" not in ended.output


@pytest.fixture
def other(connection: Connection, url: URL) -> Iterator[URL]:
    """Another account, which is not an administrator's."""
    account = "loadtest_other@'127.0.0.1'"
    connection.execute(text(f"CREATE USER {account} IDENTIFIED BY 'of-others'"))
    connection.execute(text(f"GRANT SELECT ON {url.database}.* TO {account}"))
    yield url.set(username="loadtest_other", password="of-others")
    connection.execute(text(f"DROP USER {account}"))


def let_in(url: URL) -> bool:
    """Whether the server takes one more connection."""
    try:
        pymysql.connect(
            host=url.host or "",
            port=url.port or 0,
            user=url.username,
            password=str(url.password),
            database=url.database,
            ssl_disabled=True,
        ).close()
    except pymysql.Error:
        return False
    return True


def crowd(folder: Path, url: URL, few: int, *arguments: object) -> tuple[str, ...]:
    """A run whose users have all connections that the server has left, a second at a time."""
    fixed = ("-f", "tests/findings/scenarios/query.py", "--headless", "--only-summary")
    users = ("-u", few, "-r", few, "--pool-size", few, "--max-overflow", 0, "--query-seconds", 1)
    more = (*users, "--stop-timeout", 1, "--allow-overload", "--results", folder / "run.jsonl")
    return tuple(locust_command(*fixed, *more, *arguments))


@pytest.mark.database
def test_it_ends_itself_when_the_server_refuses_others(
    tmp_path: Path, url: URL, few: int, other: URL
) -> None:
    assert let_in(other)
    command = crowd(tmp_path, url, few, "-t", "60s")
    with running(tmp_path / "log", *command, env=at(url)) as process:
        process.until(lambda: "All users spawned" in process.output, "the load")
        refused = 0
        while process.process.poll() is None:
            refused += not let_in(other)
            time.sleep(0.05)
        code = process.wait()

    result = read_run(tmp_path / "run.jsonl")
    assert result.footer
    assert code == 4, process.output
    assert refused >= REFUSED
    assert re.fullmatch(
        r"the server got into trouble: it refused \d+ connections of other clients within 10 s, "
        "because it had reached max_connections",
        str(result.footer.end),
    )
    summary = summarize_runs([result])
    assert not summary.pools[0].valid
    assert "server_in_trouble" in {finding.code for finding in summary.pools[0].findings}
    assert verdict_exit_code(summary) == 4
    assert "Traceback" not in process.output


@pytest.mark.database
@pytest.mark.long
def test_it_ends_itself_when_a_full_server_does_not_tell_any_more(
    tmp_path: Path, url: URL, few: int, connection: Connection
) -> None:
    """Its own connection to the server is lost, and error 1040 answers the next."""
    command = crowd(tmp_path, url, few, "-t", "60s")
    asking = text("SELECT ID FROM information_schema.PROCESSLIST WHERE DB IS NULL AND USER = :user")
    with running(tmp_path / "log", *command, env=at(url)) as process:
        process.until(lambda: "All users spawned" in process.output, "the load")
        while process.process.poll() is None:
            for number in connection.scalars(asking, {"user": url.username}).all():
                connection.exec_driver_sql(f"KILL {number}")
            time.sleep(0.1)
        code = process.wait()

    result = read_run(tmp_path / "run.jsonl")
    assert result.footer
    assert code == 4, process.output
    assert "cannot be read (1040, 'Too many connections'), so the run cannot see" in process.output
    assert re.match(
        r"the server got into trouble: its status could not be read for \d+ s \(1040, ",
        str(result.footer.end),
    )
    assert not summarize_runs([result]).pools[0].valid
    assert "Traceback" not in process.output


@pytest.mark.server
@pytest.mark.long
def test_it_goes_on_where_it_was_told_to(tmp_path: Path, url: URL, few: int, other: URL) -> None:
    command = crowd(tmp_path, url, few, "-t", "8s", "--no-abort")
    with running(tmp_path / "log", *command, env=at(url)) as process:
        while process.process.poll() is None:
            let_in(other)
            time.sleep(0.02)
        code = process.wait()

    result = read_run(tmp_path / "run.jsonl")
    assert code == 0, process.output
    assert result.footer
    assert str(result.footer.end) == "finished"
    assert sum(second.counters["refused_connects"] for second in result.server) > REFUSED
    assert "stop as soon as" not in process.output


@pytest.mark.server
@pytest.mark.long
def test_a_run_that_is_refused_itself_harms_nobody(tmp_path: Path, url: URL, few: int) -> None:
    command = crowd(tmp_path, url, 2 * few, "-t", "6s")
    with running(tmp_path / "log", *command, env=at(url)) as process:
        code = process.wait()

    result = read_run(tmp_path / "run.jsonl")
    assert code == 0, process.output
    assert result.footer
    assert str(result.footer.end) == "finished"
    assert result.footer.totals.counters["errors.too_many_connections"] > REFUSED


@pytest.mark.server
@pytest.mark.long
def test_an_experiment_ends_with_the_run_that_was_ended(
    tmp_path: Path, url: URL, few: int, other: URL
) -> None:
    scenario = "tests/findings/scenarios/query.py"
    pools = ("--pool", f"{few}+0", "--pool", "1+0", "--rounds", 2, "--allow-overload")
    load = ("-u", few, "-t", "40s", "--warmup", "0s", "--option", "query_seconds=1")
    where = ("-v", "--results", tmp_path / "all")
    command = loadtest_command("compare", scenario, *pools, *load, *where)
    with running(tmp_path / "log", *command, env=at(url)) as process:
        while process.process.poll() is None:
            let_in(other)
            time.sleep(0.05)
        code = process.wait()

    assert code == 4, process.output
    assert len(list(tmp_path.glob("all/*/runs/*.jsonl"))) == 2, "once by its name, once by latest"
    assert "Ended: the server got into trouble: it refused" in process.output
    assert process.output.count("$ locust") == 1
    assert "server that this tool did not start, loadtest will" in process.output
    assert "for 40 s, at most 4 times (2.8 min; longer if runs are disturbed" in process.output
    assert "Traceback" not in process.output


@pytest.mark.database
@pytest.mark.long
def test_its_own_connections_are_killed_by_their_address_alone(
    tmp_path: Path, url: URL, admin: Engine
) -> None:
    """Half of a full pool; who has the same account and database keeps what they have."""
    load = ("-u", 8, "-t", "9s", "--warmup", "1s", "--prefill")  # of pauses, mostly
    fault = ("--pool", "6+0", "--fault", "kill:50%@4s", "--results", tmp_path / "results")
    command = loadtest_command("run", "scenarios/_database_down.py", *load, *fault)
    number = text("SELECT CONNECTION_ID()")
    with admin.connect() as bystander, running(tmp_path / "log", *command, env=at(url)) as tool:
        before = bystander.scalar(number)
        assert tool.wait() in (0, 4), tool.output
        assert bystander.scalar(number) == before

    (pool,) = json.loads((tmp_path / "results/latest/summary.json").read_text())["pools"]
    (kill,) = pool["faults"]
    assert (kill["fault"], kill["rounds"], kill["killed"]) == ("kill:50%@4s", 1, 3)
    assert 1 <= kill["errors"] <= 3, "who had one; all others get a new one in its place"
    lost = {"gone_away", "lost_during_query", "connection_killed", "query_interrupted"}
    assert set(kill["by_kind"]) <= {*lost, "connect_failed", "other"}
    assert sum(kill["by_kind"].values()) == kill["errors"]
    assert 0 <= kill["first_error_seconds"] < 5
    assert (kill["recovered"], kill["beyond_pool_timeout"]) == (1, 0)
    assert 0 <= kill["recovery_seconds"] <= 5
    assert kill["checked"] > 100
    assert kill["lost"] == 0
    assert pool["connections"]["opened"] >= kill["killed"]
    assert "server that this tool did not start, loadtest will" in tool.output
    assert "1 to kill some of them)" in tool.output
    assert "and break its own connections: kill:50%@4s" in tool.output
    assert [name for name in inspect(admin).get_table_names() if "_down_" in name] == []
