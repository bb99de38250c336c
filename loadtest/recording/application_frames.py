"""The frames of an application's own code on a stack, apart from those of libraries.

Nothing here touches a disk or takes a lock, because checkouts call it.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterable, Iterator
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE
from types import FrameType
from typing import Any

import greenlet
import sqlalchemy

import loadtest

# What the code of a file is.
_INTERNAL, _PACKAGE, _APPLICATION, _UNNAMED = range(4)
# Code that is made without end must not fill the memory.
MOST_CACHED = 20_000
_ASYNC = CO_COROUTINE | CO_ASYNC_GENERATOR


def first_of_application(
    frame: FrameType | None, running: Any = None, *, packages: bool = False
) -> FrameType | None:
    """The first frame of an application's code from here outwards, within the asyncio task.

    running: the greenlet of the stack, if that of `caller_of` counts, too. packages: whether code
    in site-packages counts, too, if there is nothing else.
    """
    package = None
    for one in _outwards(frame, running):
        if is_application(one):
            return one
        if packages and package is None and _KINDS[one.f_code.co_filename] == _PACKAGE:
            package = one
    return package


def _outwards(frame: FrameType | None, running: Any) -> Iterator[FrameType]:
    """The frames from here outwards, up to the event loop that runs an asyncio task."""
    in_task = False
    while frame is not None:
        if frame.f_code.co_flags & _ASYNC:
            in_task = True
        elif in_task:
            return
        yield frame
        frame = frame.f_back
        if frame is None and running is not None:
            frame, running = caller_of(running), None


def caller_of(running: Any) -> FrameType | None:
    """The frame that continues the stack of a greenlet of SQLAlchemy's asyncio layer, else None.

    The layer runs synchronous code in greenlets. The parent has the application's coroutines.
    """
    return running.parent.gr_frame if type(running).__module__.startswith("sqlalchemy.") else None


def is_application(frame: FrameType) -> bool:
    """Whether a frame is of an application's own code."""
    kind = _KINDS[frame.f_code.co_filename]
    return kind == _APPLICATION or (kind == _UNNAMED and module_of(frame) == "__main__")


class _Kinds(dict[str, int]):
    """What the code of a file is, by its name; a file is decided on once."""

    def __missing__(self, name: str) -> int:
        if len(self) >= MOST_CACHED:
            self.clear()
        kind = self[name] = _kind(name)
        return kind


_KINDS = _Kinds()


def _kind(name: str) -> int:
    if name.startswith("<"):  # `python -c`, a prompt, frozen modules, or code that a library makes
        return _UNNAMED
    if not os.path.isabs(name):
        return _APPLICATION
    path = os.path.normpath(name)
    if path.startswith(_EXAMPLES):
        return _APPLICATION
    if path.startswith(_OWN):
        return _INTERNAL
    if path.startswith(_PACKAGES) or not _PACKAGE_FOLDERS.isdisjoint(path.split(os.sep)):
        return _PACKAGE
    return _INTERNAL if path.startswith(_PYTHON) else _APPLICATION


def module_of(frame: FrameType) -> str:
    """The name of the module of a frame."""
    return str(frame.f_globals.get("__name__") or "?")


def _folders(paths: Iterable[str | None]) -> tuple[str, ...]:
    """Folders as the beginnings of paths, with and without their symbolic links."""
    known = [path for path in paths if path]
    both = [*map(os.path.abspath, known), *map(os.path.realpath, known)]
    return tuple(dict.fromkeys(path + os.sep for path in both))


_PACKAGE_FOLDERS = {"site-packages", "dist-packages"}
_OWN = _folders(os.path.dirname(str(one.__file__)) for one in (loadtest, sqlalchemy, greenlet))
# An installed package contains the example applications.
_EXAMPLES = _folders([os.path.join(os.path.dirname(str(loadtest.__file__)), "examples")])
_PACKAGES = _folders(map(sysconfig.get_path, ("purelib", "platlib")))
_PYTHON = _folders(map(sysconfig.get_path, ("stdlib", "platstdlib", "scripts")))
