"""Write conflicts: rows that changed between a transaction's read and its write."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.units import count, percent
from loadtest.model import error_kinds
from loadtest.model.summary import Finding

WRITE_CONFLICT = "write_conflict"
NOTABLE_CONFLICTS, SERIOUS_CONFLICTS = 0.01, 0.10
_SNAPSHOT = (
    "A transaction's first read opens its snapshot. Later it changes or locks a row that another "
    "transaction has changed since. Under REPEATABLE READ, MariaDB refuses that with "
    "innodb_snapshot_isolation = ON, the default since 11.6.2. Older versions change the newer row "
    "without an error: a value computed from the old row overwrites the other change (a lost "
    "update)."
)
_GROUP = "Another member of the replication group committed a change of the same row first."
_LOCK = (
    "Lock the row with the transaction's first read (with_for_update()), change it without reading "
    "first (SET n = n - 1), or use READ COMMITTED (isolation_level), where each statement has its "
    "own snapshot."
)
_RETRY = "Or retry the whole transaction, as after a deadlock."


def write_conflicts(pool: PoolRuns) -> Iterator[Finding]:
    """Requests that failed because another transaction had changed their row."""
    failed, requests = pool.counters[f"errors.{WRITE_CONFLICT}"], pool.counters["requests"]
    if not failed:
        return
    share = failed / max(requests, 1)
    snapshot, isolation = _settings(pool)
    yield Finding(
        code="write_conflicts",
        severity="error"
        if share > SERIOUS_CONFLICTS
        else "warning"
        if share > NOTABLE_CONFLICTS
        else "info",
        message=f"{percent(share)} of requests failed with {error_kinds.label(WRITE_CONFLICT)} "
        f"({count(failed)} of {count(requests)}). {_cause(pool)}",
        evidence={
            "kind": WRITE_CONFLICT,
            "count": failed,
            "requests": requests,
            "share": share,
            "innodb_snapshot_isolation": snapshot,
            "isolation_level": isolation,
        },
        error_kind=WRITE_CONFLICT,
    )


def _cause(pool: PoolRuns) -> str:
    """Why the server refuses the change, and what to do."""
    if "mariadb" not in pool.header.server.version.lower():
        return f"{_GROUP} Retry the whole transaction, or send all writes to one member."
    snapshot, isolation = _settings(pool)
    here = f"This server has {snapshot or 'an unknown value'}, {isolation or 'an unknown level'}."
    return f"{_SNAPSHOT} {here} {_LOCK} {_RETRY}"


def _settings(pool: PoolRuns) -> tuple[str | None, str | None]:
    """The server's innodb_snapshot_isolation and isolation level; None if unknown."""
    told = pool.header.server.variable
    # MySQL has the second name only, MariaDB has both from 11.1 on.
    isolation = told("tx_isolation") or told("transaction_isolation")
    return told("innodb_snapshot_isolation"), isolation
