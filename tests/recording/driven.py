"""Applications that a tool drives: its end of their pipe, and their environment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from loadtest.recording.launcher import recorded_environment
from loadtest.recording.steering.orders import Orders
from tests.conftest import ROOT


class ToolEnd:
    """The tool's end of the pipe in a folder, from which recordings go into `recordings` there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "tell"
        os.mkfifo(self.path, 0o600)
        # A file: in this process, `os.close` is gevent's, which closes later.
        self._pipe = FileIO(os.open(self.path, os.O_RDWR | os.O_NONBLOCK))
        self.data = b""

    def orders(self, **given: Any) -> Orders:
        """Orders of this tool."""
        return Orders(tell=str(self.path), **given)

    def environment(self, **given: Any) -> dict[str, str]:
        """What an application with these orders has in its environment."""
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        settings = {"FOLDER": self.folder / "recordings", "COMPRESS": "off"}
        variables = recorded_environment(settings, {"PYTHONPATH": path})
        return {**variables, **self.orders(**given).variables()}

    def messages(self, kind: str = "engine") -> list[dict[str, Any]]:
        """All messages of a kind that have come so far."""
        while more := self._pipe.read(1 << 16):
            self.data += more
        told = [json.loads(line) for line in self.data.splitlines()]
        return [one for one in told if one["kind"] == kind]

    def close(self) -> None:
        """Leave the pipe without a reader, as a tool does that ends."""
        self._pipe.close()


@contextmanager
def tool_end(folder: Path) -> Iterator[ToolEnd]:
    """The tool's end of a pipe, as long as the block lasts."""
    end = ToolEnd(folder)
    try:
        yield end
    finally:
        end.close()
