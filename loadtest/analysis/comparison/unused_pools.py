"""Pools that differ only in size, with a load that uses up none of them: they cannot differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loadtest.analysis.findings import mostly_failing
from loadtest.analysis.units import count, listed, plural, rate
from loadtest.model.experiment import Experiment
from loadtest.model.pool import AS_IS
from loadtest.model.summary import PoolSummary

_SIZES = ("pool_size", "max_overflow")
# Without a wait, pool_timeout has no effect.
_WITHOUT_EFFECT = {"name", "pool_timeout", *_SIZES}


def never_used_up(pools: Sequence[PoolSummary]) -> bool:
    """Whether pools of different sizes always had a connection left, and no overflow."""
    sizes = {(pool.pool.pool_size, pool.pool.max_overflow) for pool in pools}
    alike = {
        replace(one.pool, name="", pool_size=0, max_overflow=0, pool_timeout=0.0) for one in pools
    }
    return len(sizes) > 1 and len(alike) == 1 and all(map(is_unused, pools))


def is_unused(pool: PoolSummary) -> bool:
    """Whether a pool in which most requests succeed always had a connection left, no overflow."""
    peak, most = pool.connections.peak, pool.pool.most_connections
    if not peak or mostly_failing.fails_mostly(pool):
        return False
    return peak <= (pool.pool.pool_size or 0) and (most is None or peak < most)


def unused_sentences(pools: Sequence[PoolSummary]) -> list[str]:
    """Why the load cannot tell these pools apart, what to do, and what each pool did."""
    used = listed([f"{count(pool.connections.peak)} of {allowed_in_words(pool)}" for pool in pools])
    did = listed([f"{pool.name} {rate(pool.throughput.per_second)}" for pool in pools])
    return [
        f"These pools were never used up (at most {used} connections): this load cannot tell them "
        f"apart. Use {more_load(pools)}.",
        f"Requests per second: {did}.",
    ]


def more_load(pools: Sequence[PoolSummary]) -> str:
    """How to make the load of these pools larger."""
    return "a higher arrival rate" if any(pool.arrivals for pool in pools) else "more users"


def allowed_in_words(pool: PoolSummary) -> str:
    """The most connections that a pool may have, as a number before its noun."""
    allowed = pool.connections.allowed
    return "any number of" if allowed is None else count(allowed)


def few_users_note(experiment: Experiment, per_user: int) -> str:
    """The note before a comparison whose users need fewer connections than any pool keeps.

    per_user: the most connections that each user holds at once. Empty if a pool may be used up, or
    if the pools differ in more than their size.
    """
    users, pools = experiment.load.users, experiment.pool
    sizes = {(pool.pool_size, pool.max_overflow) for pool in pools}
    others = [pool.model_dump(exclude=_WITHOUT_EFFECT) for pool in pools]
    known = all(pool.poolclass not in (AS_IS, "NullPool") for pool in pools)
    least = min(pool.pool_size for pool in pools)
    if not known or len(sizes) == 1 or users * per_user > least or others[1:] != others[:-1]:
        return ""
    return (
        f"Note: {plural(users, 'user')} can take at most {plural(users * per_user, 'connection')} "
        f"({count(per_user)} each), and every pool keeps {count(least)} or more: this load cannot "
        "tell the pools apart. Use more users."
    )
