"""The places of an application in its code: the first line outside of libraries on a stack."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType

from greenlet import getcurrent

from loadtest.model.place_use import OUTSIDE_APPLICATION, USER_ENDED
from loadtest.pool.hold import Hold
from loadtest.pool.numbered_names import NumberedNames
from loadtest.recording.application_frames import (
    MOST_CACHED,
    caller_of,
    first_of_application,
    is_application,
    module_of,
)
from loadtest.recording.holder_frames import frame_of_holder

MOST_PLACES = 200
# As many ways are tried before a stack is walked.
_MOST_WAYS = 6
_FURTHEST = 20


_Way = tuple[int, CodeType, int]
"""A way from the application through libraries to a checkout.

The depth of the outermost frame of the libraries, and its code. Then how far the application's
frame is from there: 0 if it is the caller, else its distance on the stack that continues this one.
A plain tuple, because it is unpacked at every checkout.
"""


class CodePlaces:
    """Numbers the places of checkouts; a place is like `shop/orders.py:19 customer_with`.

    folder: the application's, by default the working directory. names: of the places.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.names = NumberedNames(MOST_PLACES, "(other places)")
        self._folder = _working_directory() if folder is None else folder
        # Keyed by the id of code, which takes long to hash; the code is kept, so that its id stays.
        self._numbers: dict[tuple[int, int], tuple[int, CodeType]] = {}
        self._ways: tuple[_Way, ...] = ()

    def number(self, above: int) -> int:
        """The number of the place of a checkout.

        above: the levels from the caller of this to the frame that asked for the checkout.
        There are few ways through libraries. Where a frame of a known way is at its depth, the
        frames below it are the same, and are not looked at.
        """
        for depth, code, outer in self._ways:
            try:
                frame: FrameType | None = sys._getframe(depth)
            except ValueError:  # the stack is not as deep
                continue
            if frame is not None and frame.f_code is code:
                frame = frame.f_back
                if outer and (parent := getcurrent().parent):
                    frame = parent.gr_frame
                    for _ in range(1, outer):
                        frame = frame and frame.f_back
                if frame is not None:
                    known = self._numbers.get((id(frame.f_code), frame.f_lasti))
                    if known is not None:
                        return known[0]
                break
        return self._number_of_new(above + 2)

    def _number_of_new(self, above: int) -> int:
        frame, running = sys._getframe(above), getcurrent()
        found = first_of_application(frame, running, packages=True)
        known = found and is_application(found) and not is_application(frame)
        if known and (way := _way(frame, above - 1, found)):
            self._ways = (way, *self._ways[: _MOST_WAYS - 1])
        return self.number_of(found)

    def number_of(self, found: FrameType | None) -> int:
        """The number of the place of this frame, which may be new."""
        if found is None:
            return self.names.number(OUTSIDE_APPLICATION)
        code = found.f_code
        key = id(code), found.f_lasti
        known = self._numbers.get(key)
        if known is None:
            if len(self._numbers) >= MOST_CACHED:
                self._numbers.clear()
            known = self._numbers[key] = self.names.number(self.name(found)), code
        return known[0]

    def line_of(self, hold: Hold) -> str:
        """The current line of the user of a hold.

        OUTSIDE_APPLICATION if it runs no code of the application, USER_ENDED if the user has ended.
        """
        if hold.over:
            return USER_ENDED
        frame = frame_of_holder(hold)
        return self.name(frame) if frame else OUTSIDE_APPLICATION

    def place_here(self) -> str:
        """The name of the place that runs this."""
        frame = first_of_application(sys._getframe(), packages=True)
        return self.names.name(self.number_of(frame))

    def name(self, frame: FrameType) -> str:
        """The file, the line and the function of a frame, without its values."""
        code = frame.f_code
        file = file_name(code.co_filename, module_of(frame), self._folder)
        return f"{file}:{frame.f_lineno} {code.co_name}"


def _way(frame: FrameType, depth: int, found: FrameType | None) -> _Way | None:
    """The way from a frame at this depth to that of the application."""
    while frame.f_back is not None:
        if frame.f_back is found:
            return depth, frame.f_code, 0
        frame = frame.f_back
        depth += 1
    outer = next((n for n in range(1, _FURTHEST) if _outer(n) is found), 0)
    return (depth, frame.f_code, outer) if outer else None


def _outer(distance: int) -> FrameType | None:
    """A frame of the stack that continues this one; its first frame is at the distance 1."""
    frame = caller_of(getcurrent())
    while distance > 1 and frame is not None:
        frame = frame.f_back
        distance -= 1
    return frame


def file_name(path: str, module: str, folder: str) -> str:
    """A file from the top of its package, else from this folder; code without one: its module."""
    if path.startswith("<"):
        return module
    path = os.path.join(folder, path)
    tail = module.replace(".", os.sep)
    for end in (f"{tail}.py", f"{tail}{os.sep}__init__.py"):
        if os.sep in end and path.endswith(os.sep + end):
            return end
    if folder != os.sep and path.startswith(folder + os.sep):
        return os.path.relpath(path, folder)
    # The top of a file in no package is the file's own folder.
    return os.path.basename(path) if path.endswith(".py") else module


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return os.sep
