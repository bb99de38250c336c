"""A connection pool's settings, and how they are written on the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from loadtest.model.errors import UsageError
from loadtest.model.field_types import Name, Seconds, Strict, Whole, validated
from loadtest.model.pool_limits import ONE_CONNECTION, connection_limit, idle_limit
from loadtest.model.suggestion import did_you_mean

_SHORT_POOL = re.compile(r"^(\d+)\+(\d+|inf)$")
# Written instead of a comma.
_BETWEEN_SETTINGS = re.compile(r"[\s;]+(?=\w+\s*=)")
# An application's own pool, whatever its class.
AS_IS = "as-is"
POOLCLASSES = ("QueuePool", "NullPool", "FairPool", AS_IS)
_POOLCLASSES = "QueuePool, NullPool or FairPool"
_SHORT_NAMES = {"QueuePool": "", "FairPool": "fair-"}
_SIZES = {"pool_size", "max_overflow"}
_QUEUE_ONLY = {*_SIZES, "pool_timeout", "pool_use_lifo"}
# What may be meant by a word on its own.
_WITHOUT_VALUE = (AS_IS, *(f"poolclass={name}" for name in POOLCLASSES[:-1]))
ResetOnReturn = Literal["rollback", "commit", "none"]
IsolationLevel = Literal[
    "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"
]


def _known_poolclass(name: str) -> str:
    if name in ("StaticPool", "SingletonThreadPool", "AssertionPool"):
        raise ValueError(f"{name} does not support many users at once; use {_POOLCLASSES}")
    if name not in POOLCLASSES:
        near = did_you_mean(name, POOLCLASSES)
        raise ValueError(f"unknown pool class {name!r}; use {_POOLCLASSES}{near}")
    return name


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
            short = self._short_name(kept=self.poolclass == AS_IS)
            object.__setattr__(self, "name", short)  # from here on it is frozen
        return self

    @model_validator(mode="after")
    def _possible(self) -> Self:
        queue_only = sorted(self.model_fields_set & _QUEUE_ONLY)
        if self.poolclass == "NullPool" and queue_only:
            raise ValueError(f"NullPool keeps no connections; remove {', '.join(queue_only)}")
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
        most = None if self.poolclass in ONE_CONNECTION else self.most_connections
        return users if most is None else min(users, most)

    def renamed(self, name: str) -> PoolConfig:
        """The same settings under another name."""
        return self.model_copy(update={"name": name})

    @property
    def named(self) -> dict[str, Any]:
        """The settings that were given, by name; the others have their defaults."""
        given = self.model_fields_set - {"name"}
        return {name: getattr(self, name) for name in PoolConfig.model_fields if name in given}

    def arguments(self) -> dict[str, Any]:
        """The settings that this pool class accepts, as keyword arguments by name."""
        if self.poolclass == AS_IS:
            return self.named
        queue = self.poolclass != "NullPool" and self.pool_size is not None
        left_out = {"name", *(() if queue else _QUEUE_ONLY)}
        return {name: value for name, value in self if name not in left_out}

    def of_application(self) -> PoolConfig:
        """The same for an application, whose pool keeps the settings that are not named here.

        Without both sizes the limits are unknown until the application is imported.
        """
        if self.poolclass == "NullPool":
            return self
        name = self.name if "name" in self.model_fields_set else self._short_name(kept=True)
        kept: dict[str, Any] = {"poolclass": AS_IS, **self.named}
        if kept["poolclass"] == AS_IS and kept.keys() >= _SIZES:
            del kept["poolclass"]
        return PoolConfig(name=name, **kept)

    def on(self, own: Mapping[str, Any]) -> PoolConfig:
        """These settings in an application: settings that are not named stay as they are there.

        own: the settings of its pool, as from `settings_of`. A pool of a class without sizes
        becomes a QueuePool if a setting that only a queue has is named.
        """
        named = self.named
        poolclass = named.pop("poolclass", AS_IS)
        if poolclass == AS_IS:
            fits = own["pool_size"] is not None or not named.keys() & _QUEUE_ONLY
            poolclass = own["poolclass"] if fits else "QueuePool"
        kept = dict(own)
        if poolclass != own["poolclass"]:
            dropped = _QUEUE_ONLY if poolclass == "NullPool" else set()
            kept = {n: v for n, v in own.items() if v is not None and n not in dropped}
        settings = {**kept, **named, "poolclass": poolclass}
        return PoolConfig.model_construct(name=self.name, **settings)

    def _short_name(self, *, kept: bool) -> str:
        """`5+10`; kept: without both sizes, only the changes are known: `as-is.pool_size-9`."""
        named = self.named
        if self.poolclass == "NullPool":
            return "nullpool"
        if kept and not named.keys() >= _SIZES:
            changes = [f"{name}-{value}" for name, value in named.items() if value != AS_IS]
            return ".".join([AS_IS, *changes])
        overflow = "inf" if self.max_overflow == -1 else self.max_overflow
        return f"{_SHORT_NAMES.get(self.poolclass, '')}{self.pool_size}+{overflow}"

    def check_application(self, application: str) -> None:
        """Raise ValueError if this pool does not fit an application (empty: no application)."""
        if self.poolclass == AS_IS and not application:
            raise ValueError(
                f"{AS_IS} is an application's own pool: add --session MODULE:NAME (in an "
                'experiment session = "MODULE:NAME"), or --app COMMAND --ready URL'
            )
        if self.isolation_level and application:
            raise ValueError("the application sets its own isolation_level; remove this setting")


def pool_of_size(size: int) -> PoolConfig:
    """A pool of this size without overflow."""
    return PoolConfig(pool_size=size, max_overflow=0)


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
    """A pool from the command line: `20+0`, `small:20+0`, `pool_size=20,max_overflow=0`, `as-is`,
    `as-is,pool_size=20`.

    Raises UsageError with everything that is wrong with it.
    """
    where = f"--pool {text}"
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 1 and all(_SHORT_POOL.match(part.rpartition(":")[2]) for part in parts):
        raise UsageError(f"{where}: give each pool its option: --pool {' --pool '.join(parts)}")
    head, colon, rest = text.partition(":")
    data: dict[str, str] = {"name": head} if colon else {}
    settings = rest if colon else text
    short = _SHORT_POOL.match(settings.strip())
    if short:
        data |= {"pool_size": short[1], "max_overflow": "-1" if short[2] == "inf" else short[2]}
    else:
        _add_settings(data, settings, where)
    return validated(PoolConfig, data, where)


def _add_settings(data: dict[str, str], settings: str, where: str) -> None:
    for part in settings.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key == AS_IS and not equals:
            key, value = "poolclass", AS_IS
        elif not equals:
            raise UsageError(
                f"{where}: {part!r} is not a setting; a pool is SIZE+OVERFLOW on its own, like "
                f"20+0, or pool_size=20,max_overflow=0{did_you_mean(key, _WITHOUT_VALUE)}"
            )
        if (separated := _BETWEEN_SETTINGS.sub(",", part.strip())) != part.strip():
            raise UsageError(f"{where}: separate settings with a comma: {separated}")
        if key in data:
            raise UsageError(f"{where}: {key} is given twice")
        data[key] = value
