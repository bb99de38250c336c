"""Why a database cannot be reached or used: the reason, without any part of a password."""

from __future__ import annotations

import socket

import pytest
from pymysql.err import OperationalError
from sqlalchemy import URL, create_engine, make_url

from loadtest.database.connection_errors import connection_error
from loadtest.database.engine import database_url
from loadtest.database.measurable import measurable_engine
from loadtest.database.redaction import host_and_port, port_of, without_passwords
from loadtest.model.errors import UsageError

ADDRESS = make_url("mysql+pymysql://blog:secret@db.example:3306/blog")
UNESCAPED = "mysql+pymysql://blog:p@ss@127.0.0.1:3399/blog"


def refused(number: int, words: str, cause: Exception | None = None, url: URL = ADDRESS) -> str:
    """The message for an error of PyMySQL."""
    error = OperationalError(number, words)
    if cause:
        vars(error)["original_exception"] = cause
    return str(connection_error(error, url))


def test_an_engine_whose_password_has_an_unescaped_at_sign_is_refused_without_its_end() -> None:
    with pytest.raises(UsageError, match=r"one @ too many") as refusal:
        measurable_engine(create_engine(UNESCAPED))
    assert "%40" in str(refusal.value)
    assert "ss@" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("postgresql+asyncpg://u@h/d", 5432),
        ("mariadb+pymysql://u@h/d", 3306),
        ("mysql+pymysql://u@h:3307/d", 3307),
    ],
)
def test_a_url_without_a_port_leads_to_that_of_its_kind(url: str, port: int) -> None:
    assert port_of(make_url(url)) == port
    assert host_and_port(make_url(url)) == f"h:{port}"


def test_no_address_shows_the_end_of_a_password() -> None:
    url = make_url(UNESCAPED)
    assert host_and_port(url) == "127.0.0.1:3399"
    words = "Can't connect to MySQL server on 'ss@127.0.0.1' ([Errno -2] Name not known)"
    assert "ss@" not in refused(2003, words, url=url)
    assert without_passwords(words).startswith("Can't connect to MySQL server on '***@127.0.0.1'")
    denied = "Access denied for user 'blog'@'localhost'"
    assert without_passwords(denied) == denied


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (socket.gaierror(-2, "Name or service not known"), " (unknown host): check"),
        (ConnectionRefusedError(111, "refused"), " (connection refused): check"),
        (TimeoutError("timed out"), "db.example:3306: check"),
    ],
)
def test_a_database_that_does_not_answer_has_its_reason(cause: Exception, reason: str) -> None:
    problem = refused(2003, "Can't connect to MySQL server on 'db.example'", cause)
    assert problem.startswith("no database answers at db.example:3306")
    assert reason in problem


def test_a_port_that_does_not_exist_is_named() -> None:
    for make in (database_url, lambda url: measurable_engine(create_engine(url))):
        with pytest.raises(UsageError, match="has port 70000; the highest is 65535"):
            make("mysql+pymysql://blog:secret@127.0.0.1:70000/blog")


def test_a_wrong_name_of_a_database_does_not_blame_the_password() -> None:
    problem = refused(1044, "Access denied for user 'blog'@'%' to database 'blog'")
    assert "may not use the database 'blog'" in problem
    assert "password" not in problem


@pytest.mark.parametrize(
    "words",
    [
        "SSL is required but the server doesn't support it",
        "TLS/SSL error: SSL is required, but the server does not support it",
    ],
)
def test_a_context_for_a_server_without_tls_is_named_as_the_reason(words: str) -> None:
    problem = refused(2026, words)
    assert problem.startswith("the database at db.example:3306 has no TLS, but")
