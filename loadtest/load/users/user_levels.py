"""The users that use the pool, and the others beside them, such as HTTP users."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from loadtest.load import locust_internals as internals
from loadtest.load.users.pool_user import PoolUser


def other_classes(user_classes: Iterable[type]) -> list[str]:
    """The names of the user classes that have no session of the pool."""
    return [cls.__name__ for cls in user_classes if not issubclass(cls, PoolUser)]


def user_levels(environment: Any, runner: Any) -> dict[str, Callable[[], int]]:
    """The gauges of a process's users: `users` of the pool and, if there are any, `other_users`."""
    others = other_classes(environment.user_classes)
    if not others:
        return {"users": lambda: runner.user_count}
    number = partial(internals.users_of, runner, others)
    return {"users": lambda: runner.user_count - number(), "other_users": number}
