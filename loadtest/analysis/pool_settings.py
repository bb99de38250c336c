"""A pool's settings as one writes them in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.model.pool import AS_IS, connection_limit, idle_limit

# What `sqlalchemy.create_engine` does when nothing is said.
SQLALCHEMY_DEFAULTS = {
    "poolclass": "QueuePool",
    "pool_timeout": 30.0,
    "pool_recycle": -1,
    "pool_pre_ping": False,
    "pool_use_lifo": False,
    "pool_reset_on_return": "rollback",
    "isolation_level": None,
}
_SIZES = ("pool_size", "max_overflow")
_QUEUE_ONLY = (*_SIZES, "pool_timeout", "pool_use_lifo")


def pool_arguments(settings: Mapping[str, Any]) -> str:
    """Both sizes and what differs from SQLAlchemy's defaults: `pool_size=20, max_overflow=0`."""
    return ", ".join(f"{name}={value}" for name, value in spelled_out(settings).items())


def spelled_out(settings: Mapping[str, Any]) -> dict[str, str]:
    """The same by name, each value as it is written in Python."""
    # Of an application's own pool that never ran nobody knows the settings.
    queue = settings.get("poolclass", "QueuePool") not in ("NullPool", AS_IS)
    # An application's own pool may be of a class that has no sizes.
    said = {name: settings[name] for name in _SIZES if queue and settings.get(name) is not None}
    for name, default in SQLALCHEMY_DEFAULTS.items():
        if settings.get(name, default) != default and (queue or name not in _QUEUE_ONLY):
            said[name] = settings[name]
    return {name: _literal(name, value) for name, value in said.items()}


def default_in_python(name: str) -> str:
    """What SQLAlchemy does when a setting is not given, as written in Python; empty if unknown."""
    return _literal(name, SQLALCHEMY_DEFAULTS[name]) if name in SQLALCHEMY_DEFAULTS else ""


def create_engine_line(settings: Mapping[str, Any]) -> str:
    """The line of Python that makes an engine with this pool."""
    return f"engine = create_engine(url, {pool_arguments(settings)})"


def most_connections(settings: Mapping[str, Any]) -> int | None:
    """The most connections that one process may open; None where nothing limits it."""
    size, overflow = settings.get("pool_size", 5), settings.get("max_overflow", 10)
    return connection_limit(settings.get("poolclass", "QueuePool"), size, overflow)


def kept_connections(settings: Mapping[str, Any]) -> int | None:
    """The most connections that one process keeps when they are given back; None without limit."""
    return idle_limit(settings.get("poolclass", "QueuePool"), settings.get("pool_size", 5))


def multiplied(settings: Mapping[str, Any], processes: int) -> str:
    """What the pools of several processes come to: `4 processes × (20 + 10) = up to 120`."""
    many = f"{processes} {'process' if processes == 1 else 'processes'}"
    most = most_connections(settings)
    if most is None:
        return f"{many}, each with a pool without a limit = any number of connections"
    sizes = f"({settings.get('pool_size', 5)} + {settings.get('max_overflow', 10)})"
    return f"{many} × {sizes} = up to {processes * most:,} connections"


def _literal(name: str, value: Any) -> str:
    if name == "poolclass":
        return str(value)
    if name == "pool_reset_on_return" and value == "none":
        return "None"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return f'"{value}"' if isinstance(value, str) else repr(value)
