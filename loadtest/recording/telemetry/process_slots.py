"""The small number of a process among those that record into a folder."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from loadtest.model.errors import LoadtestError

_MOST = 10_000


class ProcessSlots:
    """A number from 0 for each folder, which is free again when the process ends, however it ends.

    The process keeps a lock on a file in the folder. Any thread may ask for a number.
    """

    def __init__(self) -> None:
        self._numbers: dict[Path, int] = {}
        self._files: list[int] = []
        self._asking = threading.Lock()

    def number(self, folder: Path) -> int:
        """The number in a folder; raises LoadtestError or OSError if it cannot be written."""
        with self._asking:
            if folder not in self._numbers:
                folder.mkdir(parents=True, exist_ok=True)
                self._numbers[folder], file = _claimed(folder)
                self._files.append(file)
            return self._numbers[folder]

    def release(self) -> None:
        """Give the numbers back; in the child of a fork, leave them to the parent."""
        while self._files:
            os.close(self._files.pop())


def _claimed(folder: Path) -> tuple[int, int]:
    """The lowest free number, and the file that is locked."""
    for number in range(_MOST):
        file = os.open(folder / f".slot-{number}", os.O_RDONLY | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        else:
            return number, file
    raise LoadtestError(f"more than {_MOST} processes record into {folder}")
