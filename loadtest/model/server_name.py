"""Servers by name: the program of a private server, and the title of a version."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePath
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator

_NAME = re.compile(r"^[a-z0-9_.+-]+$")
SERVER_KINDS = ("mariadb", "mysql")
_WRITE = "write mariadb, mysql, the path of a server program, or NAME:PATH"


class NamedServer(NamedTuple):
    """A server to measure on: its name in results, and mariadb, mysql or a path."""

    name: str
    program: str


def parse_server(text: str) -> NamedServer:
    """A server from `mysql`, `/usr/sbin/mysqld` or `new:/opt/mysql/bin/mysqld`; else ValueError."""
    if text in SERVER_KINDS:
        return NamedServer(text, text)
    head, colon, rest = text.partition(":")
    name, program = (head, rest) if colon else (PurePath(text).name, text)
    if "/" not in program or not _NAME.match(name):
        raise ValueError(f"{text!r} is not a server; {_WRITE}")
    return NamedServer(name, program)


def server_title(version: str) -> str:
    """The title of a server by its version variable: `MariaDB 10.11.19`, `MySQL 9.7.4`."""
    number, _, more = version.partition("-")
    return f"{'MariaDB' if 'MariaDB' in more else 'MySQL'} {number}"


def _some(value: Any) -> Any:
    if isinstance(value, str):
        return (value,) if value else ()
    return value


def _different(texts: tuple[str, ...]) -> tuple[str, ...]:
    names = Counter(parse_server(text).name for text in texts)
    if double := [name for name, count in names.items() if count > 1]:
        raise ValueError(
            f"two servers have the name {double[0]!r}; give one a name: new:/path/mysqld"
        )
    return texts


ServerNames = Annotated[tuple[str, ...], BeforeValidator(_some), AfterValidator(_different)]
