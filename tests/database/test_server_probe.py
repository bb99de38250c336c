"""Whatever is wrong with a database is told in one clear sentence, never with its password."""

import resource
import socket
from contextlib import contextmanager

import gevent
import pytest
from pymysql.err import OperationalError
from sqlalchemy import URL, make_url, text

from loadtest.database import probing
from loadtest.database.connection_errors import connection_error
from loadtest.database.preflight import server_probe
from loadtest.database.preflight.server_probe import (
    GENERATOR_FILES,
    probe_server,
    raise_open_files_limit,
)
from loadtest.model.errors import UsageError

SECRET = "s3cr3t"


def problem_with(url: URL) -> str:
    """The one sentence about an address that cannot be used."""
    with pytest.raises(UsageError) as refused:
        probe_server(url)
    (problem,) = refused.value.problems
    assert "\n" not in problem
    assert url.password not in problem
    assert "Traceback" not in problem
    assert "pymysql" not in problem
    return problem


@pytest.mark.database
def test_a_look_tells_what_the_server_says_of_itself(url, server):
    facts = probe_server(url)
    assert facts.version.startswith(server.program.version)
    assert facts.variables["max_connections"] == str(server.limit)
    assert facts.variables["version"] == facts.version
    assert facts.variables.keys() <= set(server_probe.SERVER_VARIABLES)
    # MariaDB speaks TLS without a certificate of the administrator since 11.4, MySQL since 5.7.
    version = tuple(map(int, server.program.version.split(".")))
    assert facts.tls is (server.program.kind == "mysql" or version >= (11, 4))
    assert not probe_server(url.update_query_dict({"ssl_disabled": "true"})).tls


@pytest.mark.database
def test_a_look_tells_the_isolation_of_transactions_as_far_as_the_server_has_it(url, admin):
    named = "'innodb_snapshot_isolation', 'tx_isolation', 'transaction_isolation'"
    with admin.connect() as connection:
        rows = connection.execute(text(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({named})"))
        expected = {str(row[0]): str(row[1]) for row in rows}
    told = {
        name: value for name, value in probe_server(url).variables.items() if "isolation" in name
    }
    assert told == expected
    assert "REPEATABLE-READ" in told.values()


@pytest.mark.database
def test_a_variable_that_no_server_has_is_left_out(url, monkeypatch):
    monkeypatch.setattr(server_probe, "SERVER_VARIABLES", ("version", "innodb_of_the_future"))
    assert probe_server(url).variables.keys() == {"version"}


@pytest.mark.database
def test_a_look_leaves_no_connection_behind(url, admin):
    probe_server(url)
    with admin.connect() as connection:
        for _ in range(100):
            rows = connection.execute(text("SHOW PROCESSLIST")).mappings().all()
            rows = [row for row in rows if row["User"] != "event_scheduler"]  # MySQL's own
            if len(rows) == 1:
                break
            gevent.sleep(0.05)
        assert len(rows) == 1


@pytest.mark.database
def test_a_wrong_password(url):
    problem = problem_with(url.set(password=SECRET))
    assert problem.startswith(f"the database at 127.0.0.1:{url.port} refuses user 'loadtest'")
    assert "%40 %3A %2F %25" in problem


@pytest.mark.database
def test_a_user_that_is_not_known(url):
    assert "refuses user 'nobody'" in problem_with(url.set(username="nobody"))


@pytest.mark.database
def test_a_user_without_rights_on_the_database(url, admin):
    with admin.begin() as connection:
        connection.execute(text(f"CREATE USER poor@'127.0.0.1' IDENTIFIED BY '{SECRET}'"))
    try:
        problem = problem_with(url.set(username="poor", password=SECRET))
        assert "rights on 'loadtest'" in problem
    finally:
        with admin.begin() as connection:
            connection.execute(text("DROP USER poor@'127.0.0.1'"))


@pytest.mark.database
def test_a_database_that_is_not_there(url):
    problem = problem_with(url.set(database="shop"))
    assert "has no database 'shop': create it first" in problem


def test_a_port_where_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        problem = problem_with(URL.create("mysql+pymysql", "u", SECRET, "127.0.0.1", port, "d"))
    assert problem.startswith(
        f"no database answers at 127.0.0.1:{port} (connection refused): check"
    )


def test_a_host_that_is_not_there():
    url = URL.create("mysql+pymysql", "u", SECRET, "host.invalid", None, "d")
    assert problem_with(url).startswith("no database answers at host.invalid:3306 (unknown host)")


@contextmanager
def somebody_else(says: bytes, hangs_up: bool):
    """The address of a server of another kind."""
    kept = []

    def serve():
        while True:
            connection, _ = listening.accept()
            connection.sendall(says)
            if hangs_up:
                connection.close()
            kept.append(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = gevent.spawn(serve)
        port = listening.getsockname()[1]
        yield URL.create("mysql+pymysql", "u", SECRET, "127.0.0.1", port, "d")
        serving.kill()
    for connection in kept:
        connection.close()


@pytest.mark.parametrize(
    "says", [b"", b"\x4a", b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail.example ESMTP\r\n"]
)
@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_server_of_another_kind_does_not_hold_up_the_tool(monkeypatch, says, hangs_up):
    monkeypatch.setattr(probing, "CONNECT_TIMEOUT_SECONDS", 0.2)
    with somebody_else(says, hangs_up) as url:
        problem = problem_with(url)
    assert problem == (
        f"127.0.0.1:{url.port} accepts connections but does not answer like MySQL or MariaDB"
    )


@pytest.mark.parametrize("says", [b"\x01\0\0\0\xff", b"\x05\0\0\0\x0aabc\0", b"\x01\0\0\0\x09"])
def test_an_answer_that_makes_no_sense_is_told_too(monkeypatch, says):
    monkeypatch.setattr(probing, "CONNECT_TIMEOUT_SECONDS", 0.2)
    with somebody_else(says, hangs_up=False) as url:
        assert f"127.0.0.1:{url.port}" in problem_with(url)


@pytest.mark.database
def test_a_full_server(url, admin):
    with admin.connect() as connection:
        usual = connection.scalar(text("SELECT @@max_connections"))
        connection.execute(text("SET GLOBAL max_connections = 10"))
        kept = []
        try:
            # The server keeps one place more, for an administrator: ask until it is full.
            with pytest.raises(Exception, match="Too many connections"):  # noqa: PT012
                for _ in range(20):
                    kept.append(admin.connect())
            problem = problem_with(url)
        finally:
            connection.execute(text(f"SET GLOBAL max_connections = {usual}"))
            for one in kept:
                one.close()
    assert "is full (error 1040, too many connections): raise its max_connections" in problem


@pytest.mark.database
@pytest.mark.parametrize("option", ["foo=1", "charset=klingon", "ssl_ca=/no/such/file"])
def test_a_wrong_option_in_the_url_is_told(url, option):
    key, value = option.split("=")
    assert problem_with(url.update_query_dict({key: value})).startswith("cannot use the database")


def test_an_error_of_another_kind_is_told_without_the_password():
    url = make_url(f"mysql+pymysql://u:{SECRET}@h/d")
    told = connection_error(OperationalError(1130, f"Host h with {SECRET} is not allowed"), url)
    assert str(told) == (
        "cannot use the database at h:3306: (1130, 'Host h with *** is not allowed')"
    )


@pytest.mark.parametrize("password", ["p", "o", "1", "Host", "allowed", "*"])
def test_a_short_password_leaves_the_words_of_an_error_readable(password):
    url = URL.create("mysql+pymysql", "u", password, "h", None, "d")
    told = connection_error(OperationalError(1130, "Host 'app' is not allowed to connect"), url)
    assert str(told) == (
        "cannot use the database at h:3306: (1130, \"Host 'app' is not allowed to connect\")"
    )


def test_a_missing_right_is_told_with_all_that_are_needed():
    url = make_url(f"mysql+pymysql://u:{SECRET}@h/shop")
    denied = "DROP command denied to user 'u'@'h' for table `shop`.`loadtest_hot_article`"
    assert str(connection_error(OperationalError(1142, denied), url)) == (
        "user 'u' may not DROP in the database at h:3306: the tables of a scenario need the "
        "rights CREATE, DROP, INDEX, SELECT, INSERT, UPDATE, DELETE, REFERENCES on 'shop'"
    )


def test_both_ways_of_naming_a_database_are_named():
    told = str(connection_error(OperationalError(2003, "no"), make_url("mysql+pymysql://h/d")))
    assert told.endswith(
        "Without --database-url and LOADTEST_DATABASE_URL, a private server starts"
    )


def test_a_url_without_a_host_means_this_machine():
    told = connection_error(OperationalError(2003, "no"), make_url("mysql+pymysql:///d"))
    assert "no database answers at localhost:3306" in str(told)


# ---- Open files


@pytest.fixture
def limits(monkeypatch):
    """The limits of open files of a system that is not this one; `set` has what was asked for."""
    asked: dict = {"limit": (1024, 4096), "set": []}
    monkeypatch.setattr(resource, "getrlimit", lambda _: asked["limit"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: asked["set"].append(limit))
    return asked


def test_few_connections_need_no_higher_limit(limits):
    raise_open_files_limit(1024 - GENERATOR_FILES)
    assert limits["set"] == []


def test_the_limit_is_raised_as_far_as_needed(limits):
    raise_open_files_limit(3000)
    assert limits["set"] == [(3000 + GENERATOR_FILES, 4096)]


def test_more_files_than_the_system_allows_are_refused(limits):
    with pytest.raises(UsageError) as refused:
        raise_open_files_limit(4096)
    assert "4096 connections need 4296 open files, but this system allows 4096" in str(
        refused.value
    )
    assert "ulimit -n 4296" in str(refused.value)
    assert limits["set"] == []


@pytest.mark.parametrize("soft", [1024, resource.RLIM_INFINITY])
def test_a_system_without_a_limit_allows_everything(limits, soft):
    limits["limit"] = (soft, resource.RLIM_INFINITY)
    raise_open_files_limit(100_000)
    raised = [(100_000 + GENERATOR_FILES, resource.RLIM_INFINITY)]
    assert limits["set"] == (raised if soft == 1024 else [])
