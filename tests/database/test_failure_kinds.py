"""Every failure is of one of few kinds, told apart by the numbers of the server and the system."""

import errno
import socket

import gevent
import pymysql
import pytest
from sqlalchemy import QueuePool, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.database.failure_kinds import (
    KIND_BY_CODE,
    STATEMENT_CODES,
    error_code,
    kind_of,
    words_of,
)
from loadtest.model.error_kinds import ERROR_KINDS, HTTP_ERROR_KINDS, advice, label
from tests.database.test_failures import kind_raised_by


def test_a_port_where_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        engine = create_engine(f"mysql+pymysql://u:p@127.0.0.1:{taken.getsockname()[1]}/d")
        assert kind_raised_by(engine.connect) == "refused"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EMFILE, "no_file_descriptor"),
        (errno.ENFILE, "no_file_descriptor"),
        (errno.EADDRNOTAVAIL, "no_local_port"),
        (errno.ECONNREFUSED, "refused"),
        (errno.EHOSTUNREACH, "connect_failed"),
    ],
)
def test_what_the_system_refuses_while_connecting(monkeypatch, number, kind):
    def refuse(*args, **options):
        raise OSError(number, "refused by a test")

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert kind_raised_by(create_engine("mysql+pymysql://u:p@h/d").connect) == kind


def test_a_pool_that_gives_nothing_in_time():
    engine = create_engine(
        "sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    with engine.connect():
        assert kind_raised_by(engine.connect) == "pool_timeout"
    engine.dispose()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1020, "write_conflict"),
        (3101, "write_conflict"),
        (1213, "deadlock"),
        (1205, "lock_wait_timeout"),
        (3572, "lock_not_available"),
        (3024, "statement_timeout"),
        (1969, "statement_timeout"),
        (1317, "query_interrupted"),
        (1927, "connection_killed"),
        (1053, "server_shutdown"),
        (2006, "gone_away"),
        (4031, "gone_away"),
        (2048, "gone_away"),
        (2055, "gone_away"),
        (2013, "lost_during_query"),
        (2014, "concurrent_use"),
        (1290, "read_only"),
        (1836, "read_only"),
        (1040, "too_many_connections"),
        (1203, "user_limit"),
        (1226, "user_limit"),
        (1129, "host_blocked"),
        (1021, "disk_full"),
        (1114, "disk_full"),
    ],
)
def test_numbers_of_the_server(code, kind):
    error = pymysql.err.OperationalError(code, "what the server says: --read-only")
    assert kind_of(error) == kind
    assert kind_of(OperationalError("SELECT 1", {}, error)) == kind
    assert error_code(OperationalError("SELECT 1", {}, error)) == code


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no number"),
        KeyError(1213),  # a number, but not the server's
        OSError(errno.ECONNREFUSED, "of something else than the database"),
        Exception(),
        pymysql.err.OperationalError(1290, "running with the --secure-file-priv option"),
        pymysql.err.InterfaceError(0, ""),
        pymysql.err.Error("Already closed"),
        GeneratorExit(),
    ],
)
def test_everything_else_is_of_no_kind_of_its_own(error):
    assert kind_of(error) == "other"


@pytest.mark.parametrize("error", [gevent.Timeout(0.3), TimeoutError(), KeyboardInterrupt()])
def test_what_cuts_a_request_off_is_an_interruption(error):
    assert kind_of(error) == "interrupted"


def test_a_pools_timeout_needs_no_number():
    assert kind_of(PoolTimeout("QueuePool limit of size 5 overflow 10 reached")) == "pool_timeout"


def test_the_kinds_are_few_and_each_has_an_explanation():
    without_code = {"pool_timeout", "beyond_announced", "pending_rollback", "other"}
    without_code |= {"interrupted", "declared_failure", "wrong_sql"}
    without_code |= {"checkout_failed", "idle_in_task", "idle_in_pool"}
    of_connecting = {"no_file_descriptor", "no_local_port", "refused", "connect_failed"}
    without_code |= {*of_connecting, *HTTP_ERROR_KINDS}
    assert without_code | set(KIND_BY_CODE.values()) == set(ERROR_KINDS)
    assert [kind for kind in ERROR_KINDS if not advice(kind)] == []
    assert len({label(kind) for kind in ERROR_KINDS}) == len(ERROR_KINDS)


@pytest.mark.parametrize("code", sorted(STATEMENT_CODES))
def test_a_wrong_statement_has_a_kind_of_its_own(code):
    error = pymysql.err.ProgrammingError(code, "what the server says")
    assert kind_of(error) == "wrong_sql"
    assert kind_of(OperationalError("SELECT 1", {}, error)) == "wrong_sql"


def test_a_database_that_does_not_exist_is_a_failed_connect(monkeypatch):
    def refuse(*args, **options):
        raise pymysql.err.OperationalError(1049, "Unknown database 'd'")

    monkeypatch.setattr(pymysql, "connect", refuse)
    assert kind_raised_by(create_engine("mysql+pymysql://u:p@h/d").connect) == "connect_failed"


def test_every_number_of_the_server_is_tried():
    (cases,) = test_numbers_of_the_server.pytestmark
    assert {code for code, _ in cases.args[1]} == KIND_BY_CODE.keys()


def test_an_error_is_told_in_the_words_of_the_driver_and_without_parameters() -> None:
    secret = OperationalError("INSERT", {"password": "hush"}, ValueError("Deadlock found"))
    assert words_of(secret) == "Deadlock found"
    assert len(words_of(KeyError("x" * 1000))) == 300
