"""A connection pool's settings, and how they are written on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import AfterValidator, Field, model_validator

from loadtest.model.errors import UsageError
from loadtest.model.field_types import Name, Seconds, Strict, Whole, validated

_SHORT_POOL = re.compile(r"^(\d+)\+(\d+|inf)$")
# An application's own pool, whatever its class.
AS_IS = "as-is"
POOLCLASSES = ("QueuePool", "NullPool", "FairPool", AS_IS)
_POOLCLASSES = "QueuePool, NullPool or FairPool"
_ONE_CONNECTION = ("StaticPool", "AssertionPool")
_SHORT_NAMES = {"QueuePool": "", "FairPool": "fair-"}
_QUEUE_ONLY = {"pool_size", "max_overflow", "pool_timeout", "pool_use_lifo"}
ResetOnReturn = Literal["rollback", "commit", "none"]
IsolationLevel = Literal[
    "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"
]


def _known_poolclass(name: str) -> str:
    if name in ("StaticPool", "SingletonThreadPool", "AssertionPool"):
        raise ValueError(f"{name} does not support many users at once; use {_POOLCLASSES}")
    if name not in POOLCLASSES:
        raise ValueError(f"unknown pool class {name!r}; use {_POOLCLASSES}")
    return name


class Sized(Protocol):
    """A pool's class and its sizes."""

    @property
    def poolclass(self) -> str: ...

    @property
    def pool_size(self) -> int | None: ...

    @property
    def max_overflow(self) -> int | None: ...


def connection_limit(pool: Sized) -> int | None:
    """The most connections one process can open; None where nothing limits it."""
    if pool.poolclass in _ONE_CONNECTION:
        return 1
    unknown = pool.poolclass in ("NullPool", AS_IS)
    if unknown or not pool.pool_size or pool.max_overflow == -1:
        return None
    return pool.pool_size + (pool.max_overflow or 0)


def idle_limit(pool: Sized) -> int | None:
    """The most idle connections one process keeps; None where nothing limits it."""
    if pool.poolclass == "NullPool":
        return 0
    return 1 if pool.poolclass in _ONE_CONNECTION else pool.pool_size or None


class PoolConfig(Strict):
    """A connection pool's settings under the names of `sqlalchemy.create_engine`.

    name: the name in reports; the default is the short form (`5+10`, `3000+inf`, `nullpool`).
    Times are seconds.
    """

    name: Name = ""
    poolclass: Annotated[str, AfterValidator(_known_poolclass)] = "QueuePool"
    pool_size: Annotated[Whole, Field(ge=0)] = 5
    max_overflow: Annotated[Whole, Field(ge=-1)] = 10
    pool_timeout: Annotated[Seconds, Field(ge=0)] = 30.0
    pool_recycle: Annotated[Whole, Field(ge=-1)] = -1
    pool_pre_ping: bool = False
    pool_use_lifo: bool = False
    pool_reset_on_return: ResetOnReturn = "rollback"
    isolation_level: IsolationLevel | None = None

    @model_validator(mode="after")
    def _short_form_as_name(self) -> Self:
        if "name" not in self.model_fields_set:
            overflow = "inf" if self.max_overflow == -1 else self.max_overflow
            queue = f"{_SHORT_NAMES.get(self.poolclass, '')}{self.pool_size}+{overflow}"
            others = {"NullPool": "nullpool", AS_IS: AS_IS}
            short = others.get(self.poolclass, queue)
            object.__setattr__(self, "name", short)  # from here on it is frozen
        return self

    @model_validator(mode="after")
    def _possible(self) -> Self:
        queue_only = sorted(self.model_fields_set & _QUEUE_ONLY)
        if self.poolclass == "NullPool" and queue_only:
            raise ValueError(f"NullPool keeps no connections; remove {', '.join(queue_only)}")
        changed = sorted(self.model_fields_set - {"name", "poolclass"})
        if self.poolclass == AS_IS and changed:
            raise ValueError(
                f"{AS_IS} keeps an application's own settings; remove {', '.join(changed)}"
            )
        return self

    @property
    def most_connections(self) -> int | None:
        """The most connections one process can open; None where nothing limits it."""
        return connection_limit(self)

    @property
    def kept_connections(self) -> int | None:
        """The most idle connections one process keeps; None where nothing limits it."""
        return idle_limit(self)

    def connections_for(self, users: int) -> int:
        """The most connections that a number of users in one process can have at once.

        Users that find the one connection of a StaticPool or AssertionPool missing open one each.
        """
        most = None if self.poolclass in _ONE_CONNECTION else self.most_connections
        return users if most is None else min(users, most)

    def renamed(self, name: str) -> PoolConfig:
        """The same settings under another name."""
        return self.model_copy(update={"name": name})

    def arguments(self) -> dict[str, Any]:
        """The settings that this pool class accepts, as keyword arguments by name."""
        if self.poolclass == AS_IS:
            return {"poolclass": AS_IS}
        left_out = {"name"} | (_QUEUE_ONLY if self.poolclass == "NullPool" else set())
        return self.model_dump(exclude=left_out)

    def check_application(self, application: str) -> None:
        """Raise ValueError if this pool does not fit an application (empty: no application)."""
        if self.poolclass == AS_IS and not application:
            raise ValueError(f"{AS_IS} is an application's own pool; name the engine or session")
        if self.isolation_level and application:
            raise ValueError("the application sets its own isolation_level; remove this setting")


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """A pool's settings under `create_engine`'s names; the defaults are SQLAlchemy's.

    Both sizes are None where the class has none. Times are seconds.
    """

    name: str = ""
    poolclass: str = "QueuePool"
    pool_size: int | None = 5
    max_overflow: int | None = 10
    pool_timeout: float = 30.0
    pool_recycle: int = -1
    pool_pre_ping: bool = False
    pool_use_lifo: bool = False
    pool_reset_on_return: str = "rollback"
    isolation_level: str | None = None

    def __post_init__(self) -> None:
        if (self.pool_size or 0) < 0:
            raise ValueError(f"pool_size: expected an integer ≥ 0, got {self.pool_size}")

    @property
    def most_connections(self) -> int | None:
        """The most connections one process can open; None where nothing limits it."""
        return connection_limit(self)

    @property
    def kept_connections(self) -> int | None:
        """The most idle connections one process keeps; None where nothing limits it."""
        return idle_limit(self)


def parse_pool(text: str) -> PoolConfig:
    """A pool from the command line: `20+0`, `small:20+0`, `pool_size=20,max_overflow=0`, `as-is`.

    Raises UsageError with everything that is wrong with it.
    """
    where = f"--pool {text}"
    head, colon, rest = text.partition(":")
    data: dict[str, str] = {"name": head} if colon else {}
    settings = rest if colon else text
    short = _SHORT_POOL.match(settings.strip())
    if settings.strip() == AS_IS:
        data["poolclass"] = AS_IS
    elif short:
        data |= {"pool_size": short[1], "max_overflow": "-1" if short[2] == "inf" else short[2]}
    else:
        _add_settings(data, settings, where)
    return validated(PoolConfig, data, where)


def _add_settings(data: dict[str, str], settings: str, where: str) -> None:
    for part in settings.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise UsageError(
                f"{where}: {part!r} is not a setting; write 20+0 on its own, or "
                "pool_size=20,max_overflow=0"
            )
        if key in data:
            raise UsageError(f"{where}: {key} is given twice")
        data[key] = value
