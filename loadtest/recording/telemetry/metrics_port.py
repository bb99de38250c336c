"""The port that serves the metrics of all processes of an application, from one of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.recording.telemetry.neighbours import Neighbours
from loadtest.recording.telemetry.pool_reading import PoolReading

if TYPE_CHECKING:
    from loadtest.recording.telemetry.metrics_server import MetricsServer

_log = logging.getLogger("loadtest.recording")


class MetricsPort:
    """Serves /metrics of this process and its neighbours, unless one of them has the port.

    own: returns the state of this process's pools. The methods belong to one thread at a time and
    raise nothing: a failure is logged once and ends the serving.
    """

    def __init__(
        self, host: str, port: int, folder: Path, own: Callable[[], Sequence[PoolReading]]
    ) -> None:
        self._host, self._port, self._folder, self._own = host, port, folder, own
        self._neighbours = Neighbours(folder, port)
        self._server: MetricsServer | None = None
        self._off = self._told = False

    def serve(self) -> None:
        """Serve, or try to: another process may have ended. Called once a second."""
        if self._off:
            return
        try:
            self._server = self._server or self._new_server()
            if self._server and self._server.failed:
                self.close()
            elif self._server:
                self._server.start()
                self._server.end_slow_answer()
        except ImportError as error:
            self._give_up(f"{error.name} is missing; try: pip install 'pool-loadtest[metrics]'")
        except OSError as error:
            self._give_up(f"{self._host}:{self._port}: {error.strerror or error}")

    def pause(self) -> None:
        """End the thread before a fork; `serve` starts it again."""
        if self._server:
            self._server.stop()

    def begin_in_child(self) -> None:
        """Begin again in the child of a fork, which may serve after its parent."""
        if self._server:
            self._server.close_in_child()
        self._server = None
        self._neighbours = Neighbours(self._folder, self._port)

    def close(self) -> None:
        """Free the port for another process, for good."""
        self._off = True
        if self._server:
            self._server.close()

    def _new_server(self) -> MetricsServer | None:
        from loadtest.recording.telemetry.metrics_server import MetricsServer, bound_socket

        listening = bound_socket(self._host, self._port)
        if listening is None:
            if not self._told:
                _log.info("metrics: port %d is in use; trying every second", self._port)
            self._told = True
            return None
        try:
            return MetricsServer(listening, self._page())
        except ImportError:
            listening.close()
            raise

    def _page(self) -> Callable[[], tuple[str, bytes]]:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        from loadtest.recording.telemetry.pool_collector import PoolCollector

        registry = CollectorRegistry()
        registry.register(PoolCollector(self._readings))
        return lambda: (CONTENT_TYPE_LATEST, generate_latest(registry))

    def _readings(self) -> list[PoolReading]:
        """The pools of all processes; a pool of an ended process gives way to one in its slot."""
        found = {(one.pool, one.slot): one for one in self._neighbours.readings()}
        return list((found | {(one.pool, one.slot): one for one in self._own()}).values())

    def _give_up(self, reason: str) -> None:
        self.close()
        _log.error("metrics are not served: %s", reason)
