"""The folder through which the processes of an application tell the tool about their engines."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_READ_BYTES = 65_536


class ControlFolder:
    """A folder that only this user can read, with a named pipe; removed at the end of its context.

    pipe: takes a line of JSON for each engine and each fork. notes: the folder in which every
    Python process of the application leaves a note. recording: a place for a recording that is not
    kept.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.gettempdir(), f"loadtest-app-{secrets.token_hex(8)}")
        self.pipe, self.notes = self.path / "tell", self.path / "notes"
        self.recording = self.path / "recording"
        self._pipe: int | None = None
        self._cut = b""

    def make(self) -> None:
        """Make the folder; before, there must be a keeper that removes it if the tool is killed."""
        self.path.mkdir(0o700)
        self.notes.mkdir()
        self.recording.mkdir()
        os.mkfifo(self.pipe, 0o600)
        # Also for writing: a writer can then open it at any time, and reading never ends.
        self._pipe = os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK)

    def __enter__(self) -> ControlFolder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
        shutil.rmtree(self.path, ignore_errors=True)

    def messages(self) -> Iterator[dict[str, Any]]:
        """The messages since the last call; does not wait for any."""
        while read := self._read():
            *lines, self._cut = (self._cut + read).split(b"\n")
            yield from map(json.loads, lines)

    def _read(self) -> bytes:
        assert self._pipe is not None
        try:
            return os.read(self._pipe, _READ_BYTES)
        except BlockingIOError:
            return b""
