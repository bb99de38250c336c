"""The limits that follow from a pool's class and its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

ONE_CONNECTION = ("StaticPool", "AssertionPool")
# Without a limit, or with the sizes of an application that is not imported yet.
_NO_LIMIT = ("NullPool", "as-is")


class Sized(Protocol):
    """A pool's class and its sizes."""

    @property
    def poolclass(self) -> str: ...

    @property
    def pool_size(self) -> int | None: ...

    @property
    def max_overflow(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class PoolSizes:
    """A pool's class and its sizes; both sizes are None where the class has none."""

    poolclass: str
    pool_size: int | None
    max_overflow: int | None


def connection_limit(pool: Sized) -> int | None:
    """The most connections one process can open; None where nothing limits it."""
    if pool.poolclass in ONE_CONNECTION:
        return 1
    if pool.poolclass in _NO_LIMIT or not pool.pool_size or pool.max_overflow == -1:
        return None
    return pool.pool_size + (pool.max_overflow or 0)


def idle_limit(pool: Sized) -> int | None:
    """The most idle connections one process keeps; None where nothing limits it."""
    if pool.poolclass == "NullPool":
        return 0
    return 1 if pool.poolclass in ONE_CONNECTION else pool.pool_size or None
