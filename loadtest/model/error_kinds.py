"""The kinds of errors: what to call them, and what each one means for whoever sets up a pool."""

from __future__ import annotations

# kind: name, what to do about it. The kinds are a bounded set; others are shown as they are.
_KINDS = {
    "pool_timeout": (
        "pool timeouts",
        "No connection came free within pool_timeout: connections are held for too long or are "
        "too few.",
    ),
    "beyond_announced": (
        "connections beyond the announced",
        "The run had announced its connections to a server that others use, and opened no more.",
    ),
    "too_many_connections": (
        "too many connections",
        "The server's max_connections was reached: fewer connections per pool or fewer processes.",
    ),
    "user_limit": (
        "user limits",
        "The database account may not have so many connections or queries.",
    ),
    "host_blocked": (
        "host blocked",
        "The server blocked this host after failed connects; FLUSH HOSTS lets it in again.",
    ),
    "refused": ("connections refused", "Nothing listened at the database's address."),
    "no_local_port": (
        "no local ports",
        "Connections were opened and closed faster than the system frees their ports: keep "
        "connections in the pool rather than in the overflow.",
    ),
    "no_file_descriptor": (
        "no file descriptors",
        "The process may not have so many sockets; see ulimit -n.",
    ),
    "gone_away": (
        "server gone away",
        "The server had closed the connection; see pool_pre_ping and pool_recycle.",
    ),
    "lost_during_query": (
        "lost during a query",
        "The connection broke in the middle of a query, or MySQL 8.0.24 or newer had closed it "
        "while it was idle (PyMySQL reports both alike; see pool_pre_ping and pool_recycle).",
    ),
    "connection_killed": (
        "killed connections",
        "KILL or a limit of the server ended the connection during a query.",
    ),
    "server_shutdown": ("server shutdowns", "The server was shutting down."),
    "query_interrupted": (
        "interrupted queries",
        "KILL QUERY, or a limit that the server or a tool enforces, ended the query.",
    ),
    "statement_timeout": (
        "statement timeouts",
        "A statement took longer than max_execution_time (MySQL) or max_statement_time (MariaDB): "
        "shorten the statement or raise the limit.",
    ),
    "write_conflict": (
        "write conflicts",
        "Another transaction changed the row after this one had read: lock the row with the first "
        "read (with_for_update()), retry the transaction, or use READ COMMITTED.",
    ),
    "deadlock": (
        "deadlocks",
        "Transactions locked the same rows in different order: the more of them run at once, the "
        "more often. Fewer connections, one order, or a retry.",
    ),
    "lock_wait_timeout": (
        "lock wait timeouts",
        "A row stayed locked for longer than innodb_lock_wait_timeout. With NOWAIT, MariaDB "
        "reports this error at once.",
    ),
    "lock_not_available": (
        "locks not available",
        "A statement with NOWAIT met a locked row: try again later, or leave the row out with "
        "SKIP LOCKED.",
    ),
    "read_only": (
        "writes to a read-only server",
        "The server accepts no writes: it is a replica, or became one. Send writes to the primary.",
    ),
    "disk_full": (
        "no room left",
        "The server had no room for another row: its disk, or the table, is full.",
    ),
    "other": (
        "other errors",
        "Errors of no kind that this tool knows; their first words say more.",
    ),
}

ERROR_KINDS = tuple(_KINDS)


def label(kind: str) -> str:
    """What to call errors of a kind, in the plural."""
    return _KINDS.get(kind, (kind.replace("_", " "), ""))[0]


def advice(kind: str) -> str:
    """What errors of a kind mean and what to do; empty for an unknown kind."""
    return _KINDS.get(kind, ("", ""))[1]
