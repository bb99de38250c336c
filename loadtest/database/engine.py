"""The engine under test and the parent session that everybody shares.

Grown from a well-known snippet: a mapping of credentials becomes an engine with a pool that is
kept for everyone, and a `scoped_session` from which each worker takes its child session.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url, pool
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from loadtest.config import PoolConfig
from loadtest.errors import UsageError

DRIVER = "mysql+pymysql"
CONNECT_TIMEOUT_SECONDS = 10
_CREDENTIALS = {"user", "pass", "host", "port", "dbname"}
_TLS_FILES = ("ssl_ca", "ssl_cert", "ssl_key")


def database_url(source: str | URL | Mapping[str, Any]) -> URL:
    """The address of a database from a URL or from `user`, `pass`, `host`, `port` and `dbname`.

    Raises UsageError (which never shows a password) if it is not one for PyMySQL.
    """
    if isinstance(source, Mapping):
        return _from_credentials(source)
    try:
        url = make_url(source)
    except (ArgumentError, ValueError):
        raise UsageError(
            "the database URL cannot be understood; write "
            f"{DRIVER}://USER:PASSWORD@HOST:3306/DATABASE with @ : / % in the password "
            "written as %40 %3A %2F %25"
        ) from None
    if url.drivername not in (DRIVER, "mariadb+pymysql"):
        raise UsageError(f"the database URL starts with {url.drivername}://; use {DRIVER}://")
    if not url.database:
        raise UsageError("the database URL names no database; end it with /NAME")
    return url


def _from_credentials(credentials: Mapping[str, Any]) -> URL:
    missing = sorted({"user", "host", "dbname"} - credentials.keys())
    unknown = sorted(credentials.keys() - _CREDENTIALS)
    if missing or unknown:
        raise UsageError(
            *(f"credentials: {key!r} is missing" for key in missing),
            *(f"credentials: unknown key {key!r}" for key in unknown),
        )
    return URL.create(
        DRIVER,
        username=credentials["user"],
        password=credentials.get("pass"),
        host=credentials["host"],
        port=int(credentials.get("port", 3306)),
        database=credentials["dbname"],
    )


def make_engine(url: URL, config: PoolConfig, *, tls: bool | None = None) -> Engine:
    """An engine with this pool on this database; nothing is connected yet.

    tls: whether the server speaks TLS (see `preflight.look`); None leaves that to the driver.
    """
    url, connect_args = _with_one_tls_context(url, tls)
    connect_args.setdefault("connect_timeout", CONNECT_TIMEOUT_SECONDS)
    arguments = config.arguments()
    arguments["poolclass"] = getattr(pool, config.poolclass)
    if arguments["pool_reset_on_return"] == "none":
        arguments["pool_reset_on_return"] = None
    if arguments["isolation_level"] is None:
        del arguments["isolation_level"]
    return create_engine(url, connect_args=connect_args, **arguments)


def _with_one_tls_context(url: URL, tls: bool | None) -> tuple[URL, dict[str, Any]]:
    # Left alone, PyMySQL builds a TLS context for every connection: 20 ms and 0.8 MB each.
    if "ssl_disabled" in url.query or (tls is None and not _asks_for_tls(url)):
        return url, {}
    if not tls and not _asks_for_tls(url):
        return url, {"ssl_disabled": True}
    options = {key: str(value) for key, value in url.query.items() if key.startswith("ssl_")}
    return url.difference_update_query(list(options)), {"ssl": _context(options)}


def _asks_for_tls(url: URL) -> bool:
    return any(key.startswith("ssl_") for key in url.query)


def _context(options: Mapping[str, str]) -> ssl.SSLContext:
    """The context that PyMySQL would build, once: it verifies only what an option asks for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = options.get("ssl_check_hostname", "false").lower() in ("true", "1")
    context.verify_mode = ssl.CERT_REQUIRED if "ssl_ca" in options else ssl.CERT_NONE
    try:
        if "ssl_ca" in options:
            context.load_verify_locations(options["ssl_ca"])
        if "ssl_cert" in options:
            context.load_cert_chain(options["ssl_cert"], options.get("ssl_key"))
    except OSError as error:
        named = ", ".join(options[key] for key in _TLS_FILES if key in options)
        raise UsageError(f"the TLS files of the database URL ({named}): {error}") from None
    return context


def parent_session(engine: Engine) -> scoped_session[Session]:
    """The one shared session that everybody of this process takes a child session from.

    Calling it gives the current greenlet's (or thread's) own `Session`; `remove()` ends that one.
    """
    return scoped_session(sessionmaker(bind=engine))
