"""What tells one MySQL or MariaDB server from another, whatever address leads to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

# The kinds of servers that know these variables; every account may read them.
IDENTIFIED = ("mysql", "mariadb")
IDENTITY_QUERY = "SELECT DATABASE(), @@hostname, @@port, @@datadir, @@pid_file, @@server_id"


class ReachedServer(NamedTuple):
    """The database and the server that a connection reached, as the server tells them."""

    database: str
    identity: str

    @classmethod
    def of(cls, row: Sequence[Any]) -> ReachedServer:
        """The row that IDENTITY_QUERY returned; some drivers return bytes."""
        database, *server = ("" if one is None else _text(one) for one in row)
        return cls(database, "|".join(server))


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)
