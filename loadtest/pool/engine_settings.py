"""The settings of any pool, and its replacement by a pool with other settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, Pool, QueuePool
from sqlalchemy.pool import SingletonThreadPool

from loadtest.pool import sqlalchemy_internals as internals

# The settings that have another name in `create_engine` than in the pool.
_OWN_NAMES = {
    "pool_timeout": "timeout",
    "pool_recycle": "recycle",
    "pool_pre_ping": "pre_ping",
    "pool_use_lifo": "use_lifo",
    "pool_reset_on_return": "reset_on_return",
}

SETTINGS = ("poolclass", "pool_size", "max_overflow", *_OWN_NAMES)
"""The settings of pools, as arguments of `create_engine`."""

# The pool_timeout (s) of a pool that waits for ever, which SQLAlchemy writes as None: 30 years.
WAITS_FOR_EVER = 1e9


def settings_of(pool: Pool) -> dict[str, Any]:
    """The settings of any pool under `create_engine`'s names; both sizes are None without a queue.

    `pool_timeout` and `pool_use_lifo` are missing if the pool is not a QueuePool.
    """
    settings: dict[str, Any] = {
        "poolclass": type(pool).__name__,
        "pool_size": None,
        "max_overflow": None,
        "pool_recycle": internals.recycle_age(pool),
        "pool_pre_ping": internals.pings(pool),
        "pool_reset_on_return": internals.reset_style(pool),
    }
    if isinstance(pool, QueuePool):
        settings |= {
            "pool_size": pool.size(),
            "max_overflow": internals.max_overflow(pool),
            "pool_timeout": WAITS_FOR_EVER if pool.timeout() is None else pool.timeout(),
            "pool_use_lifo": internals.uses_lifo(pool),
        }
    return settings


def another(engine: Engine, pool: Pool, poolclass: type[Pool], settings: Mapping[str, Any]) -> Pool:
    """A new pool for the engine with the same connections, logging and listeners.

    settings: under `create_engine`'s names.
    """
    own = {_OWN_NAMES.get(name, name): value for name, value in settings.items()}
    if isinstance(pool, SingletonThreadPool) and issubclass(poolclass, SingletonThreadPool):
        own["pool_size"] = pool.size  # `settings_of` has the size of a queue only
    return internals.replacement(pool, poolclass, dialect=engine.dialect, **own)


def accepted_by(poolclass: type[Pool]) -> set[str]:
    """The arguments of `create_engine` that a pool of this class gets."""
    names = {own: name for name, own in _OWN_NAMES.items()}
    return {names.get(one, one) for one in internals.parameters_of(poolclass)}
