"""The places of an application in its code: the first line outside of libraries on a stack."""

from __future__ import annotations

import os
from types import CodeType, FrameType

from greenlet import getcurrent

from loadtest.model.place_use import OUTSIDE_APPLICATION, USER_ENDED
from loadtest.pool.hold import Hold
from loadtest.pool.numbered_names import NumberedNames
from loadtest.recording.application_frames import MOST_CACHED, first_of_application, module_of
from loadtest.recording.holder_frames import frame_of_holder

MOST_PLACES = 200


class CodePlaces:
    """Numbers the places of checkouts; a place is like `shop/orders.py:19 customer_with`.

    folder: the application's, by default the working directory. names: of the places.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.names = NumberedNames(MOST_PLACES, "(other places)")
        self._folder = _working_directory() if folder is None else folder
        # Keyed by the id of code, which takes long to hash; the code is kept, so that its id stays.
        self._numbers: dict[tuple[int, int], tuple[int, CodeType]] = {}

    def number(self, frame: FrameType) -> int:
        """The number of the place of a checkout on this stack, which may be new.

        Code in site-packages counts if the stack has no other code of an application.
        """
        found = first_of_application(frame, getcurrent().parent, packages=True)
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

    def name(self, frame: FrameType) -> str:
        """The file, the line and the function of a frame, without its values."""
        code = frame.f_code
        file = file_name(code.co_filename, module_of(frame), self._folder)
        return f"{file}:{frame.f_lineno} {code.co_name}"


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
