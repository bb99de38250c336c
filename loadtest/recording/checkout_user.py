"""The user of a checkout in an application: the asyncio task, the greenlet or the thread."""

from __future__ import annotations

import asyncio
from typing import Any

from greenlet import getcurrent, greenlet


def task_or_greenlet() -> Any:
    """The asyncio task that is running, else the greenlet (in a thread, its main greenlet).

    Every `await` of SQLAlchemy's asyncio layer runs in a greenlet of its own.
    """
    # `current_task` alone would raise an error in a thread without an event loop, which takes long.
    loop = asyncio._get_running_loop()
    return (loop and asyncio.current_task(loop)) or getcurrent()


def of_this_thread(user: Any) -> bool:
    """Whether a user belongs to the thread that asks, which is the only one after a fork."""
    if isinstance(user, greenlet):
        return _main(user) is _main(getcurrent())
    mine = task_or_greenlet()
    return not isinstance(mine, greenlet) and mine.get_loop() is user.get_loop()


def _main(user: Any) -> Any:
    while user.parent is not None:
        user = user.parent
    return user
