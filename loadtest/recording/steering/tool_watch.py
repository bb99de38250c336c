"""Ends a driven process whose tool is gone, and tells the tool about forks."""

from __future__ import annotations

import logging
import os
import signal
import time

from loadtest.recording.steering import told
from loadtest.recording.steering.orders import Orders

SECONDS_TO_END = 10.0

_log = logging.getLogger("loadtest.recording")


class ToolWatch:
    """Looks whether the tool that drives this process still reads its pipe."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self._process = os.getpid()
        self._kill_at: float | None = None

    def look(self) -> None:
        """Send the tool what is left to tell; without a tool, end this process.

        It gets SIGTERM, and SIGKILL if it is still there SECONDS_TO_END later.
        """
        if self._kill_at is not None:
            if time.monotonic() >= self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        elif not told.deliver(self.orders):
            self._kill_at = time.monotonic() + SECONDS_TO_END
            _log.warning("the load test that drives this process is gone, so the process ends")
            os.kill(os.getpid(), signal.SIGTERM)

    def begin_in_child(self) -> None:
        """Tell the tool about this fork of a process with engines."""
        parent, self._process, self._kill_at = self._process, os.getpid(), None
        told.begin_in_child()
        told.tell(self.orders, "fork", pid=self._process, parent=parent)
