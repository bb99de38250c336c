"""A pool's settings as Python code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from loadtest.model.pool import AS_IS, PoolConfig, PoolSettings

_SIZES = ("pool_size", "max_overflow")
_OTHERS = (
    *("poolclass", "pool_timeout", "pool_recycle", "pool_pre_ping", "pool_use_lifo"),
    *("pool_reset_on_return", "isolation_level"),
)
_QUEUE_ONLY = (*_SIZES, "pool_timeout", "pool_use_lifo")
# The defaults of `sqlalchemy.create_engine`.
_SQLALCHEMY = PoolSettings()
# The class that `create_async_engine` has instead.
_ASYNC = "AsyncAdaptedQueuePool"


def pool_arguments(settings: PoolSettings) -> str:
    """Both sizes and what differs from SQLAlchemy's defaults: `pool_size=20, max_overflow=0`."""
    said = spelled_out(settings)
    return ", ".join(f"{name}={value}" for name, value in said.items() if value != _ASYNC)


def spelled_out(settings: PoolSettings) -> dict[str, str]:
    """The same by name, each value as it is written in Python."""
    return {name: _literal(name, value) for name, value in settings_by_name(settings).items()}


def settings_by_name(settings: PoolSettings) -> dict[str, Any]:
    """Both sizes and what differs from SQLAlchemy's defaults."""
    # The settings of an application's own pool are unknown until it runs.
    queue = settings.poolclass not in ("NullPool", AS_IS)
    sizes = {name: getattr(settings, name) for name in _SIZES if queue}
    # An application's own pool may have a class without sizes.
    said: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
    for name in _OTHERS:
        value = getattr(settings, name)
        if value != getattr(_SQLALCHEMY, name) and (queue or name not in _QUEUE_ONLY):
            said[name] = value
    return said


def default_in_python(name: str) -> str:
    """SQLAlchemy's default of a setting, as written in Python; empty for a size."""
    return _literal(name, getattr(_SQLALCHEMY, name)) if name in _OTHERS else ""


def changed_settings(
    pools: Iterable[PoolConfig | PoolSettings], own: PoolSettings, application: str
) -> list[str]:
    """How pools differ from the application's own, a sentence for each that does."""
    texts = {pool.name: _changes(PoolSettings(**_values(pool)), own) for pool in pools}
    return [
        f"{name} differs from the pool of {application}: {changes}"
        for name, changes in texts.items()
        if changes
    ]


def _values(pool: PoolConfig | PoolSettings) -> dict[str, Any]:
    return {field.name: getattr(pool, field.name) for field in fields(PoolSettings)}


def _changes(settings: PoolSettings, own: PoolSettings) -> str:
    """`pool_size=10 instead of 3, max_overflow=0 instead of 2`; empty without a difference."""
    here, there = spelled_out(settings), spelled_out(own)
    left_out = _QUEUE_ONLY if settings.poolclass == "NullPool" else ()
    return ", ".join(
        f"{name}={new} instead of {old}"
        for name in dict.fromkeys([*here, *there])
        if (new := _spelled(here, name)) != (old := _spelled(there, name)) and name not in left_out
    )


def _spelled(said: Mapping[str, str], name: str) -> str:
    """A value, or its default, as it is written in Python; a class without sizes has none."""
    return said.get(name) or default_in_python(name) or "none"


def create_engine_line(settings: PoolSettings) -> str:
    """The line of Python that makes an engine with this pool."""
    create = "create_async_engine" if settings.poolclass == _ASYNC else "create_engine"
    return f"engine = {create}(url, {pool_arguments(settings)})"


def multiplied(settings: PoolSettings, processes: int) -> str:
    """The connections of several processes: `4 processes × (20 + 10) = up to 120`."""
    many = f"{processes} {'process' if processes == 1 else 'processes'}"
    most = settings.most_connections
    if most is None:
        return f"{many}, each with a pool without a limit = any number of connections"
    sizes = f"({settings.pool_size} + {settings.max_overflow})"
    return f"{many} × {sizes} = up to {processes * most:,} connections"


def _literal(name: str, value: Any) -> str:
    if name == "poolclass":
        return str(value)
    if name == "pool_reset_on_return" and value == "none":
        return "None"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return f'"{value}"' if isinstance(value, str) else repr(value)
