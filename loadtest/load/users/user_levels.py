"""The users that use the pool, and the others beside them, such as HTTP users."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from loadtest.load import locust_internals as internals
from loadtest.load.users.pool_user import PoolUser


def other_classes(user_classes: Iterable[type]) -> list[str]:
    """The names of the user classes that have no session of the pool."""
    return [cls.__name__ for cls in user_classes if not issubclass(cls, PoolUser)]


def pool_users(user_classes: Iterable[type]) -> list[type[PoolUser]]:
    """Those of these classes whose users have sessions of a pool."""
    return [cls for cls in user_classes if issubclass(cls, PoolUser)]


def most_pool_users(user_classes: Iterable[type], users: int) -> int:
    """The most users with sessions of a pool among some, by the weights of their classes.

    Locust rounds the number of each class.
    """
    classes: list[Any] = list(user_classes)
    of_pool = pool_users(classes)
    weight = sum(cls.weight for cls in of_pool if not cls.fixed_count)
    whole = sum(cls.weight for cls in classes if not cls.fixed_count) or 1
    fixed = sum(cls.fixed_count for cls in of_pool)
    return min(users, fixed + math.ceil(users * weight / whole) + len(of_pool))


def user_levels(environment: Any, runner: Any) -> dict[str, Callable[[], int]]:
    """The gauges of a process's users: `users` of the pool and, if there are any, `other_users`."""
    others = other_classes(environment.user_classes)
    if not others:
        return {"users": lambda: runner.user_count}
    number = partial(internals.users_of, runner, others)
    return {"users": lambda: runner.user_count - number(), "other_users": number}
