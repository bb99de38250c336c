"""What a master and its workers say to each other, over Locust's own connection."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import gevent

from loadtest.errors import LoadtestError
from loadtest.interval import Interval

INTERVAL, REFUSAL, END, LAST = (
    "loadtest_interval",
    "loadtest_refusal",
    "loadtest_end",
    "loadtest_last",
)


class Workers:
    """The master's side: takes the intervals of all workers, and waits for their last ones."""

    def __init__(
        self,
        runner: Any,
        take: Callable[[Interval], None],
        refuse: Callable[[LoadtestError], None],
    ) -> None:
        self._runner, self._take, self._refuse = runner, take, refuse
        self._expected: set[str] = set()
        runner.register_message(INTERVAL, self._on_interval)
        runner.register_message(REFUSAL, self._on_refusal)
        runner.register_message(LAST, self._on_last)

    def end(self, seconds: float) -> set[str]:
        """Let all workers stop; the names of those whose last interval did not come in time.

        Locust's master reports the end of a test before its workers have stopped.
        """
        clients = self._runner.clients
        self._expected = {client.id for client in [*clients.running, *clients.spawning]}
        for name in self._expected:
            self._runner.send_message(END, client_id=name)
        with gevent.Timeout(seconds, False):
            while self._expected:
                gevent.sleep(0.02)
        return self._expected

    def _on_interval(self, environment: Any, msg: Any, **_: Any) -> None:
        self._take(Interval.from_json(msg.data))

    def _on_refusal(self, environment: Any, msg: Any, **_: Any) -> None:
        error = LoadtestError(f"worker {msg.node_id}: {msg.data['text']}")
        error.exit_code = msg.data["code"]
        self._refuse(error)

    def _on_last(self, environment: Any, msg: Any, **_: Any) -> None:
        self._expected.discard(msg.node_id)


class Master:
    """A worker's side: sends what it measured, and stops when it is asked to."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        runner.register_message(END, lambda **_: runner.stop(), concurrent=True)

    def send(self, interval: Interval) -> None:
        """Send an interval."""
        self._runner.send_message(INTERVAL, interval.to_json())

    def refuse(self, error: LoadtestError) -> None:
        """Say that this worker cannot run, and why."""
        self._runner.send_message(REFUSAL, {"text": str(error), "code": error.exit_code})

    def last(self) -> None:
        """Say that no more intervals will come."""
        self._runner.send_message(LAST)


def end_with(parent: int) -> None:
    """End this worker when the process that forked it is gone, in whatever way.

    Locust's own would wait for another master, for minutes.
    """
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
