"""The private attributes of SQLAlchemy that the instrument needs; no other module names them.

ATTRIBUTES lists them. `check_attributes` looks for them before an engine is measured: a missing
attribute is an error that names it, not an AttributeError during a checkout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from traceback import walk_tb
from typing import Any, Literal

import sqlalchemy
from sqlalchemy import URL, Dialect, Pool, QueuePool
from sqlalchemy import pool as pools
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, reset_none
from sqlalchemy.util import get_cls_kwargs
from sqlalchemy.util.queue import AsyncAdaptedQueue

from loadtest.model.errors import LoadtestError

# By owner. Some have no underscore but are not in SQLAlchemy's documentation.
ATTRIBUTES = {
    "Pool": (
        *("_creator", "_dialect", "_invoke_creator", "_orig_logging_name", "_pre_ping"),
        *("_recycle", "_reset_on_return", "_return_conn"),
    ),
    "QueuePool": ("_max_overflow", "_pool"),
    "type[QueuePool]": ("_create_connection", "_dec_overflow", "_do_get", "_queue_class"),
    "Queue": ("queue", "use_lifo"),
    "type[AsyncAdaptedQueue]": ("_queue",),
    "Pool()": ("_dispatch",),  # an argument
    "PoolProxiedConnection": ("_connection_record",),
    "Dialect": ("_do_ping_w_event",),
    "ThreadLocalRegistry": ("registry",),
}

# Methods that an instance of a pool can shadow: the one that takes every connection back, and the
# one that opens it.
RETURN_CONNECTION = "_return_conn"
OPEN_CONNECTION = "_invoke_creator"

record_of: Callable[[PoolProxiedConnection], ConnectionPoolEntry] = attrgetter("_connection_record")
"""The record of a checked-out connection; written in C, because every checkout calls it."""

record_of_execution: Callable[[Any], ConnectionPoolEntry] = attrgetter(
    "_dbapi_connection._connection_record"
)
"""The record of the connection of an execution context; it raises AttributeError without one."""

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


def record_of_query(arguments: tuple[Any, ...]) -> ConnectionPoolEntry | None:
    """The record of the connection of a dialect's `do_…`, by its arguments; None if unknown."""
    last = arguments[-1]
    commit = isinstance(last, PoolProxiedConnection)
    connection = last if commit else getattr(last, "_dbapi_connection", None)
    return getattr(connection, "_connection_record", None)


def check_attributes(pool: Pool) -> None:
    """Raise LoadtestError if SQLAlchemy lacks an attribute needed to measure this pool."""
    holders: dict[str, object] = {
        "Pool": pool,
        "PoolProxiedConnection": getattr(pools, "_ConnectionFairy", None),
        "Dialect": getattr(pool, "_dialect", None),
    }
    if isinstance(pool, QueuePool):
        queue = getattr(pool, "_pool", None)
        asynchronous = isinstance(queue, AsyncAdaptedQueue)
        holders["QueuePool"] = pool
        holders |= {"type[AsyncAdaptedQueue]": type(queue)} if asynchronous else {"Queue": queue}
    require(holders)


def require(holders: Mapping[str, object]) -> None:
    """Raise LoadtestError with the missing ATTRIBUTES of these owners and SQLAlchemy's version."""
    missing = [
        f"{owner}.{name}"
        for owner, holder in holders.items()
        for name in ATTRIBUTES[owner]
        if not hasattr(holder, name)
    ]
    if missing:
        raise LoadtestError(
            f"SQLAlchemy {sqlalchemy.__version__} has no {', '.join(missing)}, so loadtest cannot "
            "measure its pools"
        )


def recycle_age(pool: Pool) -> int:
    """The age (s) at which a pool replaces connections; -1 if it does not."""
    return pool._recycle


def pings(pool: Pool) -> bool:
    """Whether a pool pings a connection before it hands it out."""
    return pool._pre_ping


def reset_style(pool: Pool) -> str:
    """How a pool resets a returned connection: `rollback`, `commit` or `none`."""
    return (pool._reset_on_return or reset_none).name.removeprefix("reset_")


def max_overflow(pool: QueuePool) -> int:
    """How many connections a pool opens beyond its size; -1 without a limit."""
    return pool._max_overflow


def most_connections(pool: QueuePool) -> int | None:
    """The most connections of a pool; None without a limit."""
    extra = max_overflow(pool)
    return None if extra < 0 or not pool.size() else pool.size() + extra


def uses_lifo(pool: QueuePool) -> bool:
    """Whether a pool hands out the connection that came back last."""
    queue: Any = pool._pool
    return bool(queue.use_lifo)


def idle_records(pool: QueuePool) -> list[ConnectionPoolEntry]:
    """The records of the idle connections of a pool."""
    queue: Any = pool._pool
    if isinstance(queue, AsyncAdaptedQueue):
        # SQLAlchemy makes the queue on its first use, in the event loop that uses it.
        queue = vars(queue).get("_queue")
        return list(queue._queue) if queue else []
    return list(queue.queue)


def creator_of(pool: Pool) -> Callable[..., Any]:
    """The function that opens a pool's connections: the engine's, or a `creator=` argument."""
    return pool._creator


def replacement(pool: Pool, poolclass: type[Pool], **settings: Any) -> Pool:
    """A pool of another class with the same connections, logging and listeners.

    settings: more arguments of the pool's class.
    """
    return poolclass(
        pool._creator,
        echo=pool.echo,
        logging_name=pool._orig_logging_name,
        _dispatch=pool.dispatch,
        **settings,
    )


def dialect_class(url: URL, arguments: Mapping[str, Any]) -> type[Dialect]:
    """The class of an engine's dialect, by the URL and the arguments of `create_engine`.

    `create_async_engine` adds an argument of its own: some drivers have one name for both kinds.
    """
    return url.get_dialect(arguments.get("_is_async", False))


def default_pool_class(dialect: Any, url: URL) -> type[Pool]:
    """The pool class of an engine of this dialect whose arguments name none."""
    found: type[Pool] = dialect.get_pool_class(url)
    return found


def parameters_of(poolclass: type[Pool]) -> set[str]:
    """The parameters of a pool class that `create_engine` passes on, by their names there."""
    return set(get_cls_kwargs(poolclass))


# The method of a record that opens its connection and calls the `connect` listeners.
_OPENS = "__connect"


def stage_of_checkout(error: BaseException) -> Literal["connect", "checkout", ""]:
    """The part of a checkout that raised an error; empty if none did.

    `connect`: opening a connection, with the `connect` listeners. `checkout`: the rest.
    """
    found: Literal["checkout", ""] = ""
    for frame, _ in walk_tb(error.__traceback__):
        name = frame.f_code.co_name
        if name == _OPENS and isinstance(frame.f_locals.get("self"), ConnectionPoolEntry):
            return "connect"
        if name == "connect" and isinstance(frame.f_locals.get("self"), Pool):
            found = "checkout"
    return found


class _PoolDialect:
    """The part of a dialect that a pool uses."""

    def __init__(self, dialect: Any) -> None:
        # The names are those of the default dialect of pools without an engine.
        for name in vars(type(Pool._dialect)):
            if not name.startswith("__"):
                setattr(self, name, getattr(dialect, name))


def give_own_dialect(pool: Pool, reset: Wrap, ping: Wrap) -> None:
    """Wrap a pool's resets and pings, but not the ROLLBACK and COMMIT of its engine's sessions."""
    own: Any = _PoolDialect(pool._dialect)
    own.do_rollback, own.do_commit = reset(own.do_rollback), reset(own.do_commit)
    own._do_ping_w_event = ping(own._do_ping_w_event)
    pool._dialect = own


def give_back_dialect(pool: Pool, dialect: Any) -> None:
    """End `give_own_dialect`: the pool has its engine's dialect again."""
    pool._dialect = dialect


def session_storage(parent: Any) -> object:
    """Where a scoped_session without a scopefunc keeps its sessions: a `threading.local`."""
    return parent.registry.registry


require({"type[QueuePool]": QueuePool})


class CustomQueuePool(QueuePool):
    """A QueuePool whose subclasses define the queue, and may override `take` and `free_slot`.

    take: returns the record of a free or a new connection. free_slot: makes room for one more
    connection, after one was closed or could not be opened. new_record: opens a connection.
    """

    take = QueuePool._do_get
    free_slot: Callable[..., Any] = QueuePool._dec_overflow
    new_record = QueuePool._create_connection

    def __init_subclass__(cls, queue_class: type[Any], **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls._queue_class = queue_class
        cls._do_get, cls._dec_overflow = cls.take, cls.free_slot  # type: ignore[method-assign]

    @property
    def queue(self) -> Any:
        """The queue of the idle connections."""
        return self._pool
