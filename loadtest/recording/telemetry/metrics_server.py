"""A small HTTP server that answers scrapes, one at a time, in a daemon thread."""

from __future__ import annotations

import errno
import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler

# A client may be silent for this long (s), and a whole answer may take this long.
_SILENT_SECONDS, _ANSWER_SECONDS = 2.0, 5.0
_PATIENCE_SECONDS = 0.5

_log = logging.getLogger("loadtest.recording")


def bound_socket(host: str, port: int) -> socket.socket | None:
    """A socket that listens; None if another process has the port. Raises other OSErrors."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=16)  # with SO_REUSEADDR
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None
        raise


class MetricsServer:
    """Answers GET /metrics on a listening socket, which it closes in the end.

    page: returns the content type and the page. Between scrapes the thread sleeps. It does not run
    during a fork. failed: whether a page could not be made, which is logged and ends the thread.
    """

    def __init__(self, listening: socket.socket, page: Callable[[], tuple[str, bytes]]) -> None:
        self.failed = False
        self._listening = listening
        self._listening.settimeout(_SILENT_SECONDS)  # of `accept`, if a client is gone already
        self._handler = partial(_Handler, page)
        self._thread: threading.Thread | None = None
        self._ends: tuple[socket.socket, ...] = ()
        self._answering: tuple[socket.socket, float] | None = None

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is None or not self._thread.is_alive():
            self._close_ends()
            self._ends = socket.socketpair()
            self._thread = threading.Thread(
                target=self._serve, args=(self._ends[0],), name="loadtest-metrics", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the thread; clients wait until it starts again."""
        if self._thread:
            self._ends[1].close()  # this wakes the thread
            self._thread.join(_PATIENCE_SECONDS)
            self.end_slow_answer(0.0)
            self._thread.join(_PATIENCE_SECONDS)

    def close(self) -> None:
        """End the thread and free the port."""
        self.stop()
        self._listening.close()

    def close_in_child(self) -> None:
        """Close what a fork has copied; the parent goes on."""
        self._close_ends()
        self._listening.close()

    def _close_ends(self) -> None:
        for one in self._ends:
            one.close()

    def end_slow_answer(self, seconds: float = _ANSWER_SECONDS) -> None:
        """End an answer that has taken longer than some seconds."""
        answering = self._answering
        if answering and time.monotonic() - answering[1] > seconds:
            with suppress(OSError):  # it has just ended
                answering[0].shutdown(socket.SHUT_RDWR)

    def _serve(self, stop: socket.socket) -> None:
        """Answer until the other end of `stop` is closed."""
        waiting = select.poll()
        waiting.register(self._listening, select.POLLIN)
        waiting.register(stop, select.POLLIN)
        with stop:
            while not self.failed and stop.fileno() not in dict(waiting.poll()):
                try:
                    self._answer()
                except OSError as error:
                    _log.debug("metrics: a scrape was broken off: %s", error)
                except Exception:
                    self.failed = True
                    _log.exception("metrics are no longer served")

    def _answer(self) -> None:
        connection, address = self._listening.accept()
        with connection:
            self._answering = (connection, time.monotonic())
            try:
                self._handler(connection, address, None)
            finally:
                self._answering = None


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENT_SECONDS

    def __init__(self, page: Callable[[], tuple[str, bytes]], *arguments: object) -> None:
        self._page = page
        super().__init__(*arguments)  # type: ignore[arg-type] # it needs no server

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        kind, page = self._page()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep the application's output free of scrapes."""
