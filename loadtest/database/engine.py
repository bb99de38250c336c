"""The engine under test and the shared parent session.

Based on a well-known snippet: a mapping of credentials becomes an engine with one shared pool, and
a `scoped_session` that gives each user a child session.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any

import pymysql
from sqlalchemy import URL, Engine, NullPool, Pool, QueuePool, create_engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from loadtest.database.redaction import without_passwords
from loadtest.model.errors import UsageError
from loadtest.model.pool import PoolConfig
from loadtest.pool.fair_pool import FairPool

DRIVER = "mysql+pymysql"
CONNECT_TIMEOUT_SECONDS = 10
_POOLCLASSES: dict[str, type[Pool]] = {
    "QueuePool": QueuePool,
    "NullPool": NullPool,
    "FairPool": FairPool,
}
_NOT_UNDERSTOOD = (
    f"the database URL is not valid; write {DRIVER}://USER:PASSWORD@HOST:3306/DATABASE "
    "with @ : / % in the password written as %40 %3A %2F %25"
)
_ONE_TOO_MANY = f"{_NOT_UNDERSTOOD} (this URL has one @ too many, or an invalid host)"
_MYSQL_ONLY = ", but a scenario's own engine supports MySQL and MariaDB only"
_HOST = re.compile(r"[\w.:%-]*")
_HIGHEST_PORT = 65_535
_CREDENTIALS = {"user", "pass", "host", "port", "dbname"}


def database_url(source: str | URL | Mapping[str, Any]) -> URL:
    """The database URL from a text or from `user`, `pass`, `host`, `port` and `dbname`.

    Raises UsageError (without the password) if PyMySQL cannot use it.
    """
    url = _from_credentials(source) if isinstance(source, Mapping) else _parsed(source)
    if isinstance(source, str):
        _check_signs(source, url)
    check_address(url)
    if url.drivername not in (DRIVER, "mariadb+pymysql"):
        only = "" if url.get_backend_name() in ("mysql", "mariadb") else _MYSQL_ONLY
        raise UsageError(f"the database URL starts with {url.drivername}://{only}; use {DRIVER}://")
    if not url.database:
        raise UsageError("the database URL does not name a database; end it with /NAME")
    try:
        (url.password or "").encode("latin-1")
    except UnicodeEncodeError:
        raise UsageError("PyMySQL can send only Latin-1 passwords: change the password") from None
    return url


def _parsed(source: str | URL) -> URL:
    try:
        return make_url(source)
    except (ArgumentError, ValueError):
        raise UsageError(_NOT_UNDERSTOOD) from None


def _check_signs(text: str, url: URL) -> None:
    """Raise UsageError if the password contains @: its end would become part of the host."""
    after_user = text.partition("://")[2].partition(":")[2]
    in_options = sum(str(value).count("@") for value in url.query.values())
    if after_user.count("@") - in_options > 1:
        raise UsageError(_ONE_TOO_MANY)


def check_address(url: URL) -> None:
    """Raise UsageError, without host and password, if a URL's host or port is not valid."""
    if not _HOST.fullmatch(url.host or ""):
        raise UsageError(_ONE_TOO_MANY)
    if (url.port or 0) > _HIGHEST_PORT:
        raise UsageError(f"the database URL has port {url.port}; the highest is {_HIGHEST_PORT}")


def _from_credentials(credentials: Mapping[str, Any]) -> URL:
    missing = sorted({"user", "host", "dbname"} - credentials.keys())
    unknown = sorted(credentials.keys() - _CREDENTIALS)
    port = str(credentials.get("port", 3306))
    if missing or unknown or not port.isdecimal():
        raise UsageError(
            *(f"credentials: {key!r} is missing" for key in missing),
            *(f"credentials: unknown key {key!r}" for key in unknown),
            *([] if port.isdecimal() else [f"credentials: 'port' is {port!r}, not a number"]),
        )
    return URL.create(
        DRIVER,
        username=credentials["user"],
        password=str(credentials.get("pass", "")),
        host=credentials["host"],
        port=int(port),
        database=credentials["dbname"],
    )


def make_engine(url: URL, config: PoolConfig, *, tls: bool | None = None) -> Engine:
    """An engine with this pool on this database; it is not connected yet.

    tls: whether the server supports TLS (see `server_probe`); None leaves TLS to the driver.
    """
    url, connect_args = _with_one_tls_context(url, tls)
    connect_args.setdefault("connect_timeout", CONNECT_TIMEOUT_SECONDS)
    arguments = config.arguments()
    arguments["poolclass"] = poolclass_of(config)
    if arguments["pool_reset_on_return"] == "none":
        arguments["pool_reset_on_return"] = None
    if arguments["isolation_level"] is None:
        del arguments["isolation_level"]
    return create_engine(url, connect_args=connect_args, **arguments)


def poolclass_of(config: PoolConfig) -> type[Pool]:
    """The class of a configured pool."""
    return _POOLCLASSES[config.poolclass]


def _with_one_tls_context(url: URL, tls: bool | None) -> tuple[URL, dict[str, Any]]:
    # By default PyMySQL builds a TLS context for every connection: 20 ms and 0.8 MB each.
    if "ssl_disabled" in url.query or (tls is None and not _asks_for_tls(url)):
        return url, {}
    if not tls and not _asks_for_tls(url):
        return url, {"ssl_disabled": True}
    options = [key for key in url.query if key.startswith("ssl_")]
    return url.difference_update_query(options), {"ssl": _context(url)}


def _asks_for_tls(url: URL) -> bool:
    return any(key.startswith("ssl_") for key in url.query)


def _context(url: URL) -> ssl.SSLContext:
    """The TLS context that PyMySQL builds from a URL's options, with their verification."""
    dialect: Any = url.get_dialect()
    _, arguments = dialect(dbapi=pymysql).create_connect_args(url)
    try:
        unconnected: Any = pymysql.Connection(**arguments, defer_connect=True)
    except (OSError, TypeError, ValueError) as error:
        said = without_passwords(str(error), url)
        raise UsageError(f"the TLS options of the database URL cannot be used: {said}") from None
    context: ssl.SSLContext = unconnected.ctx
    return context


def parent_session(engine: Engine) -> scoped_session[Session]:
    """The parent session of this process, which gives every user a child session.

    A call returns the `Session` of the current greenlet or thread; `remove()` closes it.
    """
    return scoped_session(sessionmaker(bind=engine))
