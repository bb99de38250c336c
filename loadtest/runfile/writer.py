"""Writes a run file line by line during the run."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

from loadtest.model.end_reason import End
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.model.interval import Interval
from loadtest.model.steps import LetOthersRun, go_on
from loadtest.runfile.line import FORMAT, to_line


class RunWriter:
    """Appends a run to its file: the header at once, an interval a line, the footer last.

    Raises UsageError if the file cannot be created or another run is writing it, LoadtestError if
    it cannot be written or no longer exists. size: the bytes written so far. let_others_run: called
    between the steps of a long line.
    """

    def __init__(
        self, path: Path, header: dict[str, Any], let_others_run: LetOthersRun = go_on
    ) -> None:
        self.path = path
        self.size = 0
        self._let_others_run = let_others_run
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered, so that closing the file does not repeat a failed write.
            self._file = path.open("ab", buffering=0)
            self._take()
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"another run is writing the result file {path}") from None
        except OSError as error:
            raise UsageError(f"cannot write the result file {path}: {error.strerror}") from None
        self._append({"type": "header", "format": FORMAT, **header})

    def _take(self) -> None:
        """Empty the file, unless another run is writing it."""
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(self._file.fileno()).st_size:
            self._file.truncate(0)

    def add(self, interval: Interval, **more: Any) -> None:
        """Append an interval; more: further fields of its line."""
        self._append({**interval.to_json(self._let_others_run), **more})

    def close(self, end: End, totals: dict[str, Any], **more: Any) -> None:
        """Append the footer, which marks a finished run."""
        self._append({"type": "footer", **end.to_json(), "totals": totals, **more})
        self._file.close()
        if not self.path.exists():
            raise LoadtestError(f"the result file {self.path} no longer exists")

    def abandon(self) -> None:
        """Close the file without a footer."""
        self._file.close()

    def _append(self, record: dict[str, Any]) -> None:
        left = to_line(record, self._let_others_run)
        self.size += len(left)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._file.close()
            raise LoadtestError(
                f"cannot write the result file {self.path}: {error.strerror}"
            ) from None
