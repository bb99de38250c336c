"""What errors of a kind mean in a pool's runs, and what to do: with the pool's own settings."""

from __future__ import annotations

from loadtest.analysis.findings.leaks import LOST_SHARE
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.units import duration, percent
from loadtest.model import error_kinds
from loadtest.model.interval import SECOND

_BROKEN = ("gone_away", "lost_during_query")
_AWAY = (
    "The server was away for a time, because it also refused connections: a restart or a crash "
    "breaks every connection. Retry the requests that were under way. pool_pre_ping replaces the "
    "other broken connections at their next checkout."
)
_AFTER_PING = (
    "The pool had pinged the connection at the checkout (pool_pre_ping), so it broke while the "
    "task held it: by KILL, a restart, a proxy or a firewall. Retry the transaction."
)


def advice_for(pool: PoolRuns, kind: str) -> str:
    """What errors of a kind mean here, and what to do."""
    if kind == "pool_timeout" and pool.deadlocked:
        return "The pool was deadlocked (see the finding nested_checkout)."
    if kind == "pool_timeout" and pool.kept > LOST_SHARE * (pool.peak("open") or 0):
        return "Tasks ended without returning their connections (see the finding leak)."
    said = error_kinds.advice(kind)
    if kind == "idle_in_task":
        return f"{said}{_limit(pool)}{_idle_task(pool)}"
    if kind == "idle_in_pool":
        return f"{said}{_limit(pool)}"
    if kind in _BROKEN and pool.counters["errors.refused"]:
        return _AWAY
    return _AFTER_PING if kind in _BROKEN and pool.settings.pool_pre_ping else said


def _limit(pool: PoolRuns) -> str:
    limit = pool.header.server.variable("wait_timeout")
    return f" The sessions of this pool have wait_timeout = {limit} s." if limit else ""


def _idle_task(pool: PoolRuns) -> str:
    """The task that uses its connections least while it holds them, as a sentence."""
    holding = pool.holding_tasks
    if not holding:
        return ""
    name, use = max(holding.items(), key=lambda one: (one[1].hold - one[1].query) / one[1].holds)
    mean, querying = duration(use.hold / use.holds / SECOND), percent(use.query / use.hold)
    return (
        f" {name!r} holds a connection for {mean} on average and uses it for queries in {querying} "
        "of that time."
    )
