"""A pool that somebody else made: what its settings are, how it connects, and others in its place.

The private names used, here and nowhere else: `_creator`, `_orig_logging_name`, `_recycle`,
`_pre_ping`, `_reset_on_return`, `_max_overflow`, `_pool.use_lifo`, and the argument `_dispatch`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, Pool, QueuePool
from sqlalchemy.pool import reset_none

# What `create_engine` calls by another name than the pool itself.
_OWN_NAMES = {
    "pool_timeout": "timeout",
    "pool_recycle": "recycle",
    "pool_pre_ping": "pre_ping",
    "pool_use_lifo": "use_lifo",
    "pool_reset_on_return": "reset_on_return",
}


def settings_of(pool: Pool) -> dict[str, Any]:
    """The settings of any pool under `create_engine`'s names; both sizes are None without a queue.

    A class that is no QueuePool has no time to wait for either: that setting is missing then.
    """
    settings: dict[str, Any] = {
        "poolclass": type(pool).__name__,
        "pool_size": None,
        "max_overflow": None,
        "pool_recycle": pool._recycle,
        "pool_pre_ping": pool._pre_ping,
        "pool_reset_on_return": (pool._reset_on_return or reset_none).name.removeprefix("reset_"),
    }
    if isinstance(pool, QueuePool):
        settings |= {
            "pool_size": pool.size(),
            "max_overflow": pool._max_overflow,
            "pool_timeout": pool.timeout(),
            "pool_use_lifo": pool._pool.use_lifo,
        }
    return settings


def creator_of(pool: Pool) -> Callable[..., Any]:
    """What a pool opens its connections with: the engine's own way, or a `creator=` of somebody."""
    return pool._creator


def another(engine: Engine, pool: Pool, poolclass: type[Pool], settings: Mapping[str, Any]) -> Pool:
    """A new pool for the engine that connects, logs and tells its listeners as this one does.

    settings: under `create_engine`'s names.
    """
    own = {_OWN_NAMES.get(name, name): value for name, value in settings.items()}
    return poolclass(
        pool._creator,
        echo=pool.echo,
        logging_name=pool._orig_logging_name,
        dialect=engine.dialect,
        _dispatch=pool.dispatch,
        **own,
    )
