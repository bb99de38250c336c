"""Where the user of a connection is in the application's code, seen from another thread."""

from __future__ import annotations

import gc
import sys
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any

from loadtest.pool.hold import Hold
from loadtest.recording.application_frames import first_of_application, is_application

# An await that waits for another, and so on, is not followed further.
_DEEPEST = 200


def frame_of_holder(hold: Hold) -> FrameType | None:
    """The innermost frame of the application that the user of a hold runs, None without one.

    The user is an asyncio task, a greenlet or a thread.
    """
    user: Any = hold.user()
    coroutine = user.get_coro() if hasattr(user, "get_coro") else None
    if isinstance(coroutine, CoroutineType) and not coroutine.cr_running:
        return _awaiting(coroutine)
    # A suspended greenlet has a stack of its own; else its thread runs it.
    frame = getattr(user, "gr_frame", None) or sys._current_frames().get(hold.thread)
    return first_of_application(frame)


def _awaiting(one: Any) -> FrameType | None:
    """The innermost frame of the application in a chain of coroutines that wait."""
    found = None
    for _ in range(_DEEPEST):
        frame, awaited = _step(one)
        if frame is not None and is_application(frame):
            found = frame
        if awaited is None:
            break
        one = awaited
    return found


def _step(one: Any) -> tuple[FrameType | None, Any]:
    """The frame of a coroutine or generator, and what it waits for."""
    if isinstance(one, CoroutineType):
        return one.cr_frame, one.cr_await
    if isinstance(one, GeneratorType):
        return one.gi_frame, one.gi_yieldfrom
    if isinstance(one, AsyncGeneratorType):
        return one.ag_frame, one.ag_await
    # The next item of an asynchronous generator is awaited by an object that only refers to it.
    if type(one).__name__.startswith("async_generator_"):
        generators = (to for to in gc.get_referents(one) if isinstance(to, AsyncGeneratorType))
        return None, next(generators, None)
    return None, None
