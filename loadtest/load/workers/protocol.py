"""The messages between a master and its workers, over Locust's own connection."""

from __future__ import annotations

from locust import events
from locust.env import Environment

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gevent
from gevent.event import Event

from loadtest.load import locust_internals as internals
from loadtest.load.ticker import Ticker
from loadtest.load.workers.master_clock import MasterClock
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.model.interval import Interval, Period
from loadtest.model.load import Stage
from loadtest.pool.recorder import Recorder

logger = logging.getLogger("loadtest")
INTERVAL, REFUSAL, END, LAST, QUESTION, ANSWER, CLOCK = (
    "loadtest_interval",
    "loadtest_refusal",
    "loadtest_end",
    "loadtest_last",
    "loadtest_question",
    "loadtest_answer",
    "loadtest_clock",
)
# How long (s) a master waits for the last intervals after its workers should have stopped.
LAST_SECONDS = 5.0
# Workers are forked after everything has been imported.
_forking = os.getpid()
# Set when the plugin listens to Locust's events.
ready = Event()


@events.test_start.add_listener
def _start_when_ready(environment: Any, **_: Any) -> None:
    # A worker that joins a run can receive the start before its plugin listens.
    if not ready.is_set():
        ready.wait()
        environment.loadtest.on_start(environment)


@dataclass(slots=True)
class Worker:
    """The master's record of one worker in one run, for the footer of the result file.

    state: `running`, then `ended`, or the reason for a missing last interval: `no heartbeat`,
    `silent`. intervals: how many arrived; lost: how many were sent but did not arrive, None if
    unknown. latest_seconds: the longest delay from the end of a second until its interval arrived,
    without the first interval, which a starting worker cuts late.
    clock_ahead_seconds: its wall clock against the master's, accurate to half of
    round_trip_seconds; None if it never asked. Its seconds are corrected by this.
    """

    process: str = ""
    state: str = "running"
    intervals: int = 0
    lost: int | None = None
    latest_seconds: float = 0.0
    clock_ahead_seconds: float | None = None
    round_trip_seconds: float | None = None


class Workers:
    """The master's side: takes the intervals of all workers, and waits for their last ones.

    known: the workers of the current run by Locust's names.
    """

    def __init__(
        self,
        runner: Any,
        take: Callable[[Interval], None],
        refuse: Callable[[LoadtestError], None],
    ) -> None:
        self._runner, self._take, self._refuse = runner, take, refuse
        self._expected: set[str] = set()
        self.known: dict[str, Worker] = {}
        self._epoch = 0.0
        runner.environment.events.test_start.add_listener(self._begin)
        runner.register_message(INTERVAL, self._on_interval)
        runner.register_message(REFUSAL, self._on_refusal)
        runner.register_message(LAST, self._on_last)
        runner.register_message(QUESTION, self._on_question)
        runner.register_message(CLOCK, self._on_clock)

    def _begin(self, **_: Any) -> None:
        self.known.clear()
        # The seconds stay continuous, even if this machine's clock is set.
        self._epoch = time.time() - time.monotonic()

    def end(self, stop_timeout: float) -> None:
        """Stop all workers, wait for at most the stop timeout, and take their last intervals.

        Locust's master reports the end of a test before its workers have stopped, and perhaps
        before they have begun: a start can still be on its way.
        """
        self._expected = internals.workers(self._runner, "all")
        for name in sorted(self._expected):
            self._runner.send_message(END, client_id=name)
        with gevent.Timeout(stop_timeout + LAST_SECONDS, False):
            while self._expected:
                gevent.sleep(0.02)
                # For Locust a worker is missing after three seconds without a heartbeat.
                self._expected -= internals.workers(self._runner, "missing")
        for name, worker in self.known.items():
            if worker.state == "running":
                worker.state = "silent" if name in self._expected else "no heartbeat"
                logger.warning("The last interval of worker %s is missing", worker.process or name)

    @property
    def all_lost(self) -> bool:
        """Whether there were workers and none of them ended in good order."""
        states = {worker.state for worker in self.known.values()}
        return bool(states) and states <= {"no heartbeat", "silent"}

    def facts(self) -> list[dict[str, Any]]:
        """The workers as the footer lists them."""
        return [asdict(worker) for worker in self.known.values()]

    def _worker(self, name: str) -> Worker:
        return self.known.setdefault(name, Worker())

    def _on_interval(self, environment: Any, msg: Any, **_: Any) -> None:
        interval = Interval.from_json(msg.data)
        worker = self._worker(msg.node_id)
        worker.process = interval.process
        if worker.intervals:
            age = self._epoch + time.monotonic() - (interval.second + 1)
            worker.latest_seconds = max(worker.latest_seconds, age)
        worker.intervals += 1
        self._take(interval)

    def _on_refusal(self, environment: Any, msg: Any, **_: Any) -> None:
        error = LoadtestError(f"worker {msg.node_id}: {msg.data['text']}")
        error.exit_code = msg.data["code"]
        self._refuse(error)

    def _on_last(self, environment: Any, msg: Any, **_: Any) -> None:
        self._expected.discard(msg.node_id)
        if worker := self.known.get(msg.node_id):
            worker.state = "ended"
            worker.lost = msg.data["intervals"] - worker.intervals

    def _on_question(self, environment: Any, msg: Any, **_: Any) -> None:
        heard = time.time_ns()
        answer = {"asked": msg.data["asked"], "heard": heard, "answered": time.time_ns()}
        self._runner.send_message(ANSWER, answer, client_id=msg.node_id)

    def _on_clock(self, environment: Any, msg: Any, **_: Any) -> None:
        worker = self._worker(msg.node_id)
        worker.process = msg.data["process"]
        if msg.data["ahead"] is not None:
            worker.clock_ahead_seconds = msg.data["ahead"] / 1e9
            worker.round_trip_seconds = msg.data["round_trip"] / 1e9


class Master:
    """A worker's side: sends its measurements, and stops on request.

    clock: the master's clock in the current run.
    """

    def __init__(self, runner: Any, process: str) -> None:
        self._runner, self._process = runner, process
        self._sent = 0
        self._begun = False
        self.clock = MasterClock(lambda asked: runner.send_message(QUESTION, {"asked": asked}))
        runner.register_message(END, self._end, concurrent=True)
        runner.register_message(ANSWER, lambda msg, **_: self.clock.hear(**msg.data))

    def begin(
        self,
        recorder: Recorder,
        warmup: float,
        stages: Sequence[Stage],
        cut: Callable[[Period], Interval] | None = None,
    ) -> Ticker:
        """Begin a run: ask for the master's time, and send what the ticker cuts.

        cut: cuts an interval of this recorder's times, if the recorder alone does not.
        """
        self._sent, self._begun = 0, True
        self.clock.ask(self._tell_clock)
        recorder.correction = self.clock.correction
        return Ticker(cut or recorder.cut, self._send, warmup, stages, self.clock.now)

    def _end(self, **_: Any) -> None:
        if not self._begun:
            self.last()  # this worker joined too late to get a start
        self._runner.stop()

    def _tell_clock(self) -> None:
        best = self.clock.best
        facts = {"ahead": -best.ahead, "round_trip": best.round_trip} if best else {"ahead": None}
        self._runner.send_message(CLOCK, {"process": self._process, **facts})

    def _send(self, interval: Interval) -> None:
        self._sent += 1
        self._runner.send_message(INTERVAL, interval.to_json())

    def refuse(self, error: LoadtestError) -> None:
        """Report that this worker cannot run, and why."""
        self._runner.send_message(REFUSAL, {"text": str(error), "code": error.exit_code})

    def last(self) -> None:
        """Report the last interval, and be ready for the next run at once."""
        # Locust's worker waits this long after its users have ended before it is ready again, and
        # the UI cannot start a run meanwhile. The next run sets its own timeout.
        self._begun = False
        self._runner.environment.stop_timeout = 0.0
        self._runner.send_message(LAST, {"intervals": self._sent})


def _end_with_parent() -> None:
    """End this worker when the process that forked it has ended.

    Locust's worker would wait for another master, for minutes.
    """
    while os.getppid() == _forking:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _worker_runner(
    create: Callable[..., Any], environment: Environment, *master: Any, **options: Any
) -> Any:
    """A worker's runner; Locust returns it only when there is a master."""
    if environment.parsed_options and environment.parsed_options.processes:
        gevent.spawn(_end_with_parent)
    return create(environment, *master, **options)


def _master_runner(create: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """A master's runner; Locust gives no clear message if its port is taken."""
    try:
        return create(*arguments, **options)
    except internals.NetworkError as error:
        print(f"\n--master-bind-port: {error}; choose another port", file=sys.stderr)
        sys.exit(UsageError.exit_code)


# Locust fires no event before it creates the runners.
internals.make_runners_with("worker", _worker_runner)
internals.make_runners_with("master", _master_runner)
