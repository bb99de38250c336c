"""What limits the throughput: the pool, the database, or the opening of connections.

`trust_gate` handles the load generator as the limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.analysis.driven.connections_beside import level_beside
from loadtest.analysis.driven.driven_pool import unreturned
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.units import count, level, percent
from loadtest.model.interval import REQUEST_TIMES, SECOND
from loadtest.model.summary import Finding

FULL_SHARE = 0.90
LEAKED_SHARE = 0.50
LOCKED_SHARE = 0.50
BUSY_SERVER_CPU = 0.80
MOST_LOCKED_SHARE = 0.20
MOST_SERVER_CPU = 0.60
CONNECTING_SHARE = 0.20
REOPENED_TIMES = 2.0
_ENLARGE = "Try a larger pool_size, or hold connections for less time."


def pool_bound(pool: PoolRuns) -> Iterator[Finding]:
    """All connections are in use, more users wait than hold one, and the database has room.

    After a large leak there is no finding: more connections would leak, too.
    """
    in_use, waiting = pool.mean_level("in_use"), pool.mean_level("waiting")
    limit = pool.settings.most_connections
    if limit is None or in_use < FULL_SHARE * limit * pool.processes or waiting < max(in_use, 1):
        return
    if unreturned(pool) > LEAKED_SHARE * limit * pool.processes:
        return
    locked, cpu = locked_share(pool), server_cpu(pool)
    if locked is None or locked > MOST_LOCKED_SHARE or (cpu or 0) > MOST_SERVER_CPU:
        return
    running = pool.server_level("threads_running")
    yield Finding(
        code="pool_bound",
        severity="warning",
        message=f"The pool is the bottleneck: {level(in_use)} of {count(limit * pool.processes)} "
        f"connections were in use and {level(waiting)} users waited on average, while the database "
        f"had room{_room(cpu, locked)}. {_ENLARGE}",
        evidence={
            **{"in_use": in_use, "limit": limit * pool.processes, "waiting": waiting},
            **{"locked": locked, "server_cpu": cpu, "threads_running": running},
        },
        enlarge=_ENLARGE,
        otherwise="Hold connections for less time.",
    )


def database_bound(pool: PoolRuns) -> Iterator[Finding]:
    """The connections wait for each other's row locks, or the server's CPUs are busy."""
    locked, cpu = locked_share(pool), server_cpu(pool)
    in_use = pool.mean_level("in_use")
    if locked is not None and locked >= LOCKED_SHARE and in_use >= 1:
        yield Finding(
            code="database_bound",
            severity="warning",
            message=f"The database is the bottleneck: connections in use spent "
            f"{percent(locked)} of their time waiting for each other's row locks. More connections "
            "only lengthen that queue. Make transactions shorter, and compare fewer connections.",
            evidence={"locked": locked, "in_use": in_use, "server_cpu": cpu},
        )
    elif cpu is not None and cpu >= BUSY_SERVER_CPU:
        yield Finding(
            code="database_bound",
            severity="warning",
            message=f"The database is the bottleneck: the server used {percent(cpu)} of the "
            "machine's CPUs. More connections do not make it faster. Use cheaper queries or "
            "a larger machine.",
            evidence={"locked": locked, "in_use": in_use, "server_cpu": cpu},
        )


def connect_bound(pool: PoolRuns) -> Iterator[Finding]:
    """A large part of the requests' time goes into opening connections again and again.

    Opening each connection once only fills the pool.
    """
    connecting = pool.spent("connect", "reconnect")
    working = pool.spent(*REQUEST_TIMES)
    opened, peak = pool.counters["opened"], pool.peak("open") or 1
    filling = opened < REOPENED_TIMES * peak * len(pool.rounds)
    if filling or not working or connecting < CONNECTING_SHARE * working:
        return
    yield Finding(
        code="connect_bound",
        severity="warning",
        message=f"Opening connections took {percent(connecting / working)} of all requests' time: "
        f"{count(opened)} connections, {count(opened / pool.seconds)} per second. {_cure(pool)}",
        evidence={"connecting": connecting, "working": working, "opened": opened},
    )


def _cure(pool: PoolRuns) -> str:
    """What keeps connections open, depending on the reason for closing them."""
    lost = pool.counters["closed.invalidated"] + pool.counters["closed.error"]
    closed = {
        "The server, or something between it and the application, had closed the old connections. "
        "Raise the server's wait_timeout, or use a smaller pool, which idles less.": lost,
        "pool_recycle closed the old connections: raise it.": pool.counters["closed.recycle"],
    }
    cure = max(closed, key=lambda text: closed[text])
    if closed[cure] > pool.counters["opened"] / 2:
        return cure
    return (
        "Keep connections open: set pool_size to the number in use, instead of overflow or "
        "NullPool."
    )


def locked_share(pool: PoolRuns) -> float | None:
    """The share of the time in use that connections spent waiting for row locks.

    The server's number includes the connections of PoolUsers beside those of an application.
    """
    locked, beside = pool.server_rate("row_lock_time"), level_beside(pool, "in_use")
    if locked is None or beside is None:
        return None
    in_use = pool.mean_level("in_use") + beside
    return locked / SECOND / in_use if in_use else None


def server_cpu(pool: PoolRuns) -> float | None:
    """The share of the machine's CPUs that the server used; None if it was not local."""
    used = pool.server_rate("cpu")
    cpus = pool.header.host.cpus
    return used / SECOND / cpus if used and cpus else None


def _room(cpu: float | None, locked: float) -> str:
    parts = [f"{percent(locked)} of the time in use went into row locks"]
    if cpu is not None:
        parts.append(f"the server used {percent(cpu)} of the CPUs")
    return f" ({', '.join(parts)})"
