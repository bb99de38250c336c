"""The arguments of create_engine with the requested pool in place of the application's own."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from sqlalchemy import NullPool, Pool, QueuePool
from sqlalchemy.engine import URL
from sqlalchemy.pool import AsyncAdaptedQueuePool

from loadtest.pool.engine_settings import SETTINGS, accepted_by
from loadtest.pool.fair_pool import FairPool
from loadtest.pool.sqlalchemy_internals import default_pool_class, dialect_class
from loadtest.recording.steering.orders import Orders

# Instead of a class: the application's own pool, whatever its class.
_AS_IS = "as-is"
_OBJECT = (
    "it gets its pool as an object (pool=...), so its settings cannot be set: give create_engine "
    "the arguments instead"
)


def steer(url: URL, kwargs: dict[str, Any], orders: Orders) -> str:
    """Change the arguments of `create_engine` so that the engine gets the requested pool.

    Settings that are not requested stay, and so does a pool class that has those requested. A
    second call changes nothing. Returns why the pool is impossible; `kwargs` is then as it was.
    """
    asked = {name: value for name, value in orders.pool.items() if value != _AS_IS}
    if not asked:
        return ""
    if kwargs.get("pool") is not None:
        return _OBJECT
    is_async, own = dialect_class(url, kwargs).is_async, _own_class(url, kwargs)
    wanted = _class_for(asked, own, AsyncAdaptedQueuePool if is_async else QueuePool)
    asked.pop("poolclass", None)
    if is_async and issubclass(wanted, FairPool):
        return "FairPool makes threads wait, so an async engine cannot use it"
    if unknown := sorted(asked.keys() - accepted_by(wanted)):
        return f"its pool class {wanted.__name__} does not take {', '.join(unknown)}"
    for name in accepted_by(own) - accepted_by(wanted):
        kwargs.pop(name, None)
    if asked.get("pool_reset_on_return") == "none":
        asked["pool_reset_on_return"] = None
    kwargs.update(asked)
    if wanted is not own:
        kwargs["poolclass"] = wanted
    return ""


def own_settings(url: URL, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that an application gives an engine, as it writes them; the class by its name.

    Settings that it leaves out are missing, but for the class.
    """
    pool = kwargs.get("pool")
    poolclass = _own_class(url, kwargs) if pool is None else type(pool)
    given = {name: kwargs[name] for name in SETTINGS if name in kwargs}
    return {**given, "poolclass": poolclass.__name__}


def _own_class(url: URL, kwargs: Mapping[str, Any]) -> type[Pool]:
    given: type[Pool] | None = kwargs.get("poolclass")
    if given is not None:
        return given
    with warnings.catch_warnings():  # the application hears them from create_engine
        warnings.simplefilter("ignore")
        return default_pool_class(dialect_class(url, kwargs), url)


def _class_for(asked: Mapping[str, Any], own: type[Pool], queue: type[Pool]) -> type[Pool]:
    """The class of the requested pool; queue: the usual class of an engine of this kind."""
    if name := asked.get("poolclass"):
        return {"NullPool": NullPool, "FairPool": FairPool, "QueuePool": queue}[name]
    of_queues = accepted_by(QueuePool) - accepted_by(NullPool)
    fits = issubclass(own, QueuePool) or not asked.keys() & of_queues
    return own if fits else queue
