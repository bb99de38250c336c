"""Connections that several users use at once: a global session, and pools for a single user."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.units import count, listed, plural
from loadtest.model.summary import Finding

# With these classes, users meet in a connection although each has a session of its own.
_MEETING = ("StaticPool", "SingletonThreadPool")
# By class: what it does with several users.
_FOR_ONE_USER = {
    "StaticPool": "StaticPool has one connection, and all users use it at the same time: their "
    "statements are parts of one transaction, and their answers get mixed up.",
    "AssertionPool": "AssertionPool allows one checkout at a time: while one user has the "
    "connection, the pool refuses every other user at once, without a wait.",
    "SingletonThreadPool": "SingletonThreadPool keeps a connection for each thread or greenlet. "
    "Beyond its size (5 by default) it closes connections that other users are using.",
}


def is_for_one_user(pool: PoolRuns) -> bool:
    """Whether several users use a pool whose class does not serve them at the same time."""
    return pool.settings.poolclass in _FOR_ONE_USER and _users(pool) > 1


def _users(pool: PoolRuns) -> float:
    return pool.mean_level("users") or pool.header.load.users or 0  # a run may end before it


def pool_for_one_user(pool: PoolRuns) -> Iterator[Finding]:
    """A pool class that does not serve several users at the same time."""
    if not is_for_one_user(pool):
        return
    name, users = pool.settings.poolclass, _users(pool)
    failed, requests = pool.counters["failures"], pool.counters["requests"]
    failures = f" {count(failed)} of {count(requests)} requests failed." if failed else ""
    yield Finding(
        code="pool_for_one_user",
        severity="error" if failed else "warning",
        message=f"{_FOR_ONE_USER[name]}{failures} For several users take QueuePool.",
        evidence={"poolclass": name, "users": users, "failed": failed, "requests": requests},
    )


def shared_session(pool: PoolRuns) -> Iterator[Finding]:
    """One session or connection that several users use at the same time.

    A session that a request closes at its end needs a checkout before it can need a rollback. More
    such errors than checkouts mean that a session outlives its requests.
    """
    clashes, unrolled = pool.counters["errors.concurrent_use"], _outliving(pool)
    if pool.settings.poolclass in _MEETING or not (clashes or unrolled):
        return
    together = f"{plural(clashes, 'request')} used it at the same time as another user"
    causes = [together] if clashes else []
    if unrolled:
        causes.append(f"{plural(unrolled, 'request')} failed because nothing had rolled it back")
    taken, requests = pool.counters["checkouts"], pool.counters["requests"]
    yield Finding(
        code="shared_session",
        severity="error",
        message=f"Users share one session and its connection: {listed(causes)}. The pool handed "
        f"out {plural(taken, 'connection')} for {plural(requests, 'request')}. A Session or a "
        "Connection is for one user at a time, because its statements are parts of one "
        "transaction. Give each user its own, from a scoped_session or a sessionmaker, instead of "
        "a global one.",
        evidence={
            **{"concurrent_uses": clashes, "pending_rollbacks": unrolled},
            **{"checkouts": taken, "requests": requests},
        },
    )


def _outliving(pool: PoolRuns) -> int:
    """The errors of sessions without a rollback, if a session outlives its requests; else 0."""
    found = pool.counters["errors.pending_rollback"]
    return found if found > pool.checkout_attempts else 0
