"""Wrong use of connections by the application, and the task that does it; or no use at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.round import Round
from loadtest.analysis.units import count, duration, level, listed, percent, plural
from loadtest.model.deadlock import holders_in_words, least_connections
from loadtest.model.interval import SECOND
from loadtest.model.summary import Finding
from loadtest.model.tls_advice import SHARE_TLS_CONTEXT, SWITCH_TLS_OFF

LONG_HOLD = 0.005
IDLE_HOLD = 0.50
SLOW_CONTEXTS = 0.50
ASLEEP_SECONDS = 2
# The values of MariaDB's variable have_ssl on a server without TLS.
_WITHOUT_TLS = ("DISABLED", "NO")


def no_checkouts(pool: PoolRuns) -> Iterator[Finding]:
    """Requests succeeded, but none took a connection from the measured pool."""
    succeeded = pool.counters["requests"] - pool.counters["failures"]
    if succeeded > 0 and not pool.checkout_attempts and pool.peak("open") == 0:
        yield Finding(
            code="no_checkouts",
            severity="error",
            message=f"{count(succeeded)} requests succeeded, but none took a connection from the "
            f"measured pool{_of_other_engine(pool)}",
            evidence={"requests": succeeded},
        )


def _of_other_engine(pool: PoolRuns) -> str:
    if pool.driven:
        return (
            " of the application: its routes use another engine, or no database. Visit routes that "
            "read or write."
        )
    return (
        ": the tasks use another engine. Name your application's with --session or --engine, or "
        "use the session of `with self.session(name) as session`."
    )


def leak(pool: PoolRuns) -> Iterator[Finding]:
    """Connections that tasks did not return when they ended."""
    kept = {name: use.kept for name, use in pool.tasks.items() if use.kept}
    if kept:
        total = sum(kept.values())
        yield Finding(
            code="leak",
            severity="error",
            message=f"{plural(total, 'connection')}{_over(pool)} {'was' if total == 1 else 'were'} "
            f"still held after the task had ended: {_by_task(kept)}. Return every connection and "
            "session: open it in a `with` block, or call close(), on a scoped_session remove().",
            evidence={"kept": kept},
        )


def long_hold(pool: PoolRuns) -> Iterator[Finding]:
    """A task that holds its connection while it does something else and the database is idle."""
    holding = pool.holding_tasks
    if not holding:
        return
    name, use = max(holding.items(), key=lambda item: item[1].hold - item[1].query)
    mean, querying = use.hold / use.holds / SECOND, use.query / use.hold
    running, in_use = pool.server_level("threads_running"), pool.mean_level("in_use")
    if mean < LONG_HOLD or querying > IDLE_HOLD:
        return
    if running is not None and running > IDLE_HOLD * in_use + 1:  # one is the status query
        return
    waiting = pool.mean_level("waiting")
    meanwhile = f", while {level(waiting)} users wait for a connection" if waiting >= 1 else ""
    yield Finding(
        code="long_hold",
        severity="warning" if meanwhile else "info",
        message=f"{name!r} holds a connection for {duration(mean)} on average and uses it for "
        f"queries in only {percent(querying)} of that time{meanwhile}. Return the connection "
        "(commit, or close the session) before you start other work.",
        evidence={"task": name, "hold": mean, "querying": querying, "threads_running": running},
    )


def nested_checkout(pool: PoolRuns) -> Iterator[Finding]:
    """Tasks that take a connection while they hold another one: enough of them deadlock.

    A task may wait itself or for a helper: a thread or greenlet with a connection of its own.
    """
    nested = {name: use.nested for name, use in pool.tasks.items() if use.nested}
    stuck = {name: use.deadlocked for name, use in pool.deadlocked.items()}
    if not nested and not stuck:
        return
    held = _held_while_waiting(pool)
    users, limit = pool.most_users, pool.settings.most_connections
    least = least_connections(round(users), held)
    safe = not stuck and (limit is None or limit >= least)
    needed = (
        f"{count(users)} users need {count(users)} x ({held + 1} - 1) + 1 = {count(least)} "
        "connections per pool"
    )
    yield Finding(
        code="nested_checkout",
        severity="info" if safe else "error",
        message=_deadlock(stuck, limit, needed) if stuck else _nested(nested, held, limit, needed),
        evidence={
            **{"nested": nested, "deadlocked": stuck, "held": held},
            **{"users": users, "least": least, "limit": limit},
        },
    )


def _held_while_waiting(pool: PoolRuns) -> int:
    """The most connections that one task held while it waited for another; 1 in older files."""
    uses = [*pool.tasks.values(), *pool.deadlocked.values()]
    return max([1, *(use.waiting_with for use in uses)])


def _nested(nested: Mapping[str, int], held: int, limit: int | None, needed: str) -> str:
    further = "a second connection while they held one"
    if held > 1:
        further = f"another connection while they held up to {count(held)}"
    has = "no limit" if limit is None else count(limit)
    return (
        f"Users took {further}: {_by_task(nested)}. {needed}. With fewer, users can wait for each "
        f"other forever (a deadlock). This pool has {has}. Better: reuse the first connection."
    )


def _deadlock(stuck: Mapping[str, int], limit: int | None, needed: str) -> str:
    names = listed(holders_in_words(stuck))
    return (
        f"The pool was deadlocked: {names} held all {count(limit)} connections, and every "
        "holder waited for another connection, itself or in a helper thread or greenlet. Only "
        f"pool_timeout ends that. {needed}, and more if tasks take further ones. Better: pass the "
        "first connection on, or return it before the next one is taken."
    )


def recorded_tls_context_seconds(pool: PoolRuns) -> float | None:
    """The time to build a TLS context on the machine of the first run; None if not measured."""
    return pool.header.host.tls_context_seconds


def slow_handshake(pool: PoolRuns) -> Iterator[Finding]:
    """Every connection builds its own TLS context, which loads all certificates."""
    opened, contexts = pool.counters["opened"], pool.counters["tls_contexts"]
    if not opened or contexts < max(3, SLOW_CONTEXTS * opened):
        return
    spent = pool.spent("connect", "reconnect") / opened
    each = recorded_tls_context_seconds(pool)
    without_tls = pool.header.server.variable("have_ssl") in _WITHOUT_TLS
    advice = SWITCH_TLS_OFF if without_tls else SHARE_TLS_CONTEXT
    although = ", although the server has no TLS" if without_tls else ""
    price = f", {duration(each)} of CPU time each" if each else ""
    yield Finding(
        code="slow_handshake",
        severity="warning",
        message=f"{count(contexts)} of {count(opened)} connections built their own TLS "
        f"context{price}{although}. Connecting took {duration(spent)} on average. "
        f"{advice[0].upper()}{advice[1:]}",
        evidence={"contexts": contexts, "opened": opened, "connect": spent},
    )


def sleeping_waiters(pool: PoolRuns) -> Iterator[Finding]:
    """Users that kept waiting after a failed connect although the pool had room.

    SQLAlchemy's QueuePool frees the slot of a failed connect but does not notify the queue.
    """
    failed = pool.counters["checkout_errors"]
    limit = pool.settings.most_connections
    if not failed or limit is None:
        return
    seconds = sum(_seconds_asleep(round_, limit) for round_ in pool.rounds)
    if seconds < ASLEEP_SECONDS:
        return
    yield Finding(
        code="sleeping_waiters",
        severity="warning",
        message=f"After {plural(failed, 'failed checkout')}, users kept waiting for "
        f"{plural(seconds, 'second')} although the pool had room. A connect that fails frees its "
        "slot, but QueuePool does not wake a waiting user. Use a short pool_timeout and retry.",
        evidence={"seconds": seconds, "failed": failed, "limit": limit},
    )


def _seconds_asleep(round_: Round, limit: int) -> int:
    """The seconds at whose end a wait had lasted a second and a slot was free."""
    rows = round_.of_pools
    out = rows.gauge("checked_out")
    return int(((rows.oldest >= SECOND) & out.known & (out.last < limit)).sum())


def _over(pool: PoolRuns) -> str:
    """The number of rounds, if a sum covers several: it may exceed the pool's size."""
    rounds = len(pool.rounds)
    return f" (in {rounds} rounds)" if rounds > 1 else ""


def _by_task(counts: Mapping[str, int]) -> str:
    most = sorted(counts, key=lambda name: -counts[name])[:3]
    return listed([f"{name!r} ({count(counts[name])})" for name in most])
