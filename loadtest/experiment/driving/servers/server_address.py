"""Where the URL of an engine leads, whatever its driver, its user and its options."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import URL

from loadtest.database.application import DATABASE_URL
from loadtest.database.redaction import DEFAULT_PORTS, host_and_port
from loadtest.model.errors import UsageError

_MYSQL, _MYSQL_NAMES = "mysql", ("mysql", "mariadb")
_LOOPBACK = ("localhost", "::1")


class ServerAddress(NamedTuple):
    """A server; kind: `mysql` also stands for MariaDB."""

    kind: str
    host: str
    port: int | None


def server_address(url: URL) -> ServerAddress:
    """The server that a URL leads to; `localhost` is 127.0.0.1."""
    backend, host = url.get_backend_name(), url.host or "localhost"
    kind = _MYSQL if backend in _MYSQL_NAMES else backend
    return ServerAddress(
        kind, "127.0.0.1" if host in _LOOPBACK else host, url.port or DEFAULT_PORTS.get(kind)
    )


def address_in_words(url: URL) -> str:
    """A database with its server for a sentence, like `shop at db1:3306`; SQLite has no server."""
    if not url.host and server_address(url).kind not in DEFAULT_PORTS:
        return f"{url.get_backend_name()} without a server"
    return f"{url.database or 'no database'} at {host_and_port(url)}"


def refuse_other_server(given: URL | None, found: URL) -> None:
    """Raise UsageError if a given URL leads to another server than an application's engine."""
    if given is not None and server_address(given) != server_address(found):
        raise UsageError(
            f"--database-url leads to {address_in_words(given)}, but the application is connected "
            f"to {address_in_words(found)}: leave out --database-url, and remove {DATABASE_URL} "
            "from the environment"
        )
