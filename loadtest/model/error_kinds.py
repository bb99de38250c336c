"""The kinds of errors: the name of each, what it means and what to do."""

from __future__ import annotations

# kind: its name in the plural, its meaning and advice. An unknown kind is shown by its code.
_KINDS = {
    "pool_timeout": (
        "pool timeouts",
        "No connection became free within pool_timeout: requests hold connections for too long, "
        "or the pool is too small.",
    ),
    "beyond_announced": (
        "connections above the announced limit",
        "The run reached the number of connections that it had announced for this server, so it "
        "refused to open more.",
    ),
    "too_many_connections": (
        "too many connections",
        "The server reached its max_connections: use fewer connections per pool, or fewer "
        "processes.",
    ),
    "user_limit": (
        "user limits",
        "The database account reached its limit of connections or queries: raise the limit, or use "
        "fewer.",
    ),
    "host_blocked": (
        "host blocked",
        "The server blocked this host after failed connection attempts; FLUSH HOSTS unblocks it.",
    ),
    "refused": (
        "connections refused",
        "No server listened at the database's address: check the address, and whether the server "
        "runs.",
    ),
    "no_local_port": (
        "no local ports",
        "The pool opened and closed connections faster than the system frees their ports: use a "
        "larger pool_size and less overflow.",
    ),
    "no_file_descriptor": (
        "no file descriptors",
        "The process reached its limit of open files; raise it with ulimit -n.",
    ),
    "connect_failed": (
        "failed connects",
        "Opening a connection failed: the driver, the server or a `connect` listener of the "
        "application raised the error.",
    ),
    "checkout_failed": (
        "failed checkouts",
        "The pool did not hand out a connection: its class refused, or a `checkout` listener of "
        "the application raised the error.",
    ),
    "idle_in_task": (
        "connections that idled in a task",
        "The task held the connection without using it for longer than the session's wait_timeout, "
        "so the server closed it. pool_pre_ping and pool_recycle do not help, because the pool "
        "acts only at the checkout. Commit or close the session before the other work, or raise "
        "wait_timeout.",
    ),
    "idle_in_pool": (
        "connections that idled in the pool",
        "The pool handed out a connection that was older than the session's wait_timeout, and the "
        "server had closed it: set pool_recycle below wait_timeout, or switch on pool_pre_ping.",
    ),
    "gone_away": (
        "server gone away",
        "The connection was closed before the request used it, by a restart, KILL, wait_timeout, "
        "a proxy or a firewall. pool_pre_ping and pool_recycle replace connections that break in "
        "the pool, not those that break while a task holds them.",
    ),
    "lost_during_query": (
        "lost during a query",
        "The connection broke during a query, or had broken while it was idle: some drivers report "
        "both with the same number. For a query, retry the transaction. For idle connections, see "
        "pool_pre_ping and pool_recycle.",
    ),
    "concurrent_use": (
        "concurrent uses of a session or connection",
        "Two users used one session or connection at the same time. Give each user a session of "
        "its own, from a scoped_session or a sessionmaker.",
    ),
    "pending_rollback": (
        "sessions without a rollback",
        "The session had failed earlier and was used again without a rollback. Roll back or close "
        "the session after an error, and use a new one for each request.",
    ),
    "connection_killed": (
        "killed connections",
        "KILL or a limit of the server ended the connection during a query. Retry the transaction; "
        "pool_pre_ping and pool_recycle do not prevent it.",
    ),
    "server_shutdown": (
        "server shutdowns",
        "The server was shutting down: retry. pool_pre_ping replaces the broken connections at "
        "their next checkout.",
    ),
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
        "Another transaction changed the row after this transaction had read it: lock the row with "
        "the first read (with_for_update()), retry the transaction, or use READ COMMITTED.",
    ),
    "deadlock": (
        "deadlocks",
        "Transactions locked the same rows in different orders. More concurrent transactions cause "
        "more deadlocks. Use fewer connections, lock rows in one order, or retry.",
    ),
    "lock_wait_timeout": (
        "lock wait timeouts",
        "A row stayed locked for longer than innodb_lock_wait_timeout. With NOWAIT, MariaDB "
        "reports this error at once.",
    ),
    "lock_not_available": (
        "locks not available",
        "A statement with NOWAIT found a locked row: retry it later, or skip locked rows with "
        "SKIP LOCKED.",
    ),
    "read_only": (
        "writes to a read-only server",
        "The server accepts no writes, because it is a replica. Send writes to the primary.",
    ),
    "disk_full": (
        "disk-full errors",
        "The server could not store another row, because its disk or the table is full.",
    ),
    "interrupted": (
        "interruptions",
        "A time limit of the application or the scenario (gevent.Timeout, TimeoutError) ended the "
        "request. A query that is cut off costs its connection, which must then be opened again: "
        "limit queries on the server (max_execution_time, max_statement_time), or raise the limit.",
    ),
    "declared_failure": (
        "declared failures",
        "The scenario declared the requests failed with self.fail(); the message has its reason.",
    ),
    "wrong_sql": (
        "mistakes in SQL",
        "The statement is wrong whatever the tables contain: its syntax, or a table, column or "
        "function that this database does not have. Correct it, or create what it names; "
        "loadtest run --try shows the line.",
    ),
    "http_4xx": (
        "4xx answers",
        "The application refused the requests (status 400 to 499): a path that does not exist, a "
        "missing login, or input that it does not accept. Correct the locustfile, or declare the "
        "answer a success with catch_response.",
    ),
    "http_5xx": (
        "5xx answers",
        "The application failed (status 500 to 599). Its log beside the run file has the errors; "
        "timeouts of its connection pool usually end here.",
    ),
    "http_no_answer": (
        "requests without a whole answer",
        "The application refused the connection, or closed it before the answer was complete: it "
        "was overloaded, it restarted, or its server ended a worker. Its log may have the reason.",
    ),
    "http_timeout": (
        "timeouts of HTTP requests",
        "The answer took longer than the timeout of the locustfile's client.",
    ),
    "http_check": (
        "failed checks of answers",
        "The answer was complete, and a check in the locustfile declared the request failed.",
    ),
    "other": (
        "other errors",
        "loadtest does not know this kind of error; the error message has the details.",
    ),
}

ERROR_KINDS = tuple(_KINDS)
# Those of requests to an application behind HTTP; no statement or checkout fails with them.
HTTP_ERROR_KINDS = tuple(kind for kind in _KINDS if kind.startswith("http_"))


def label(kind: str) -> str:
    """The name of a kind of errors, in the plural."""
    return _KINDS.get(kind, (kind.replace("_", " "), ""))[0]


def advice(kind: str) -> str:
    """What errors of a kind mean and what to do; empty for an unknown kind."""
    return _KINDS.get(kind, ("", ""))[1]
