"""What a master and its workers say to each other, over Locust's own connection."""

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
from loadtest.model.interval import Interval
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
# How long a master waits for its workers' last intervals after they should have stopped.
LAST_SECONDS = 5.0
# Workers are forked after everything has been imported.
_forking = os.getpid()
# Set when the plugin listens to Locust's events.
ready = Event()


@events.test_start.add_listener
def _start_when_ready(environment: Any, **_: Any) -> None:
    # Who joins a run under way can be told to start before the plugin is there to hear it.
    if not ready.is_set():
        ready.wait()
        environment.loadtest.on_start(environment)


@dataclass(slots=True)
class Worker:
    """What the master knows of one worker in one run, as the footer of the result file has it.

    state: `running`, then `ended`, or why its last interval never came: `no heartbeat`, `silent`.
    intervals: how many came; lost: how many it sent that did not come, None if it did not say.
    latest_seconds: the longest time from the end of a second until its interval came, the first
    apart: a worker that only begins cuts it late.
    clock_ahead_seconds: its wall clock against the master's, wrong by half of round_trip_seconds at
    most; None if it never asked. Its seconds are corrected by that.
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

    known: the workers of the current run, by Locust's names for them.
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
        # The seconds of workers go on as they began, even if somebody sets this clock.
        self._epoch = time.time() - time.monotonic()

    def end(self, stop_timeout: float) -> None:
        """Let all workers stop, which takes them so long at most, and take their last intervals.

        Locust's master reports the end of a test before its workers have stopped.
        """
        self._expected = internals.workers(self._runner, "running", "spawning")
        for name in self._expected:
            self._runner.send_message(END, client_id=name)
        with gevent.Timeout(stop_timeout + LAST_SECONDS, False):
            while self._expected:
                gevent.sleep(0.02)
                # Locust calls a worker missing after three seconds without a heartbeat.
                self._expected -= internals.workers(self._runner, "missing")
        for name, worker in self.known.items():
            if worker.state == "running":
                worker.state = "silent" if name in self._expected else "no heartbeat"
                logger.warning("The last interval of worker %s is missing", worker.process or name)

    @property
    def all_lost(self) -> bool:
        """Whether there were workers and none came to its end."""
        states = {worker.state for worker in self.known.values()}
        return bool(states) and states <= {"no heartbeat", "silent"}

    def facts(self) -> list[dict[str, Any]]:
        """What the footer says of the workers."""
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
    """A worker's side: sends what it measured, and stops when it is asked to.

    clock: the master's, as the current run found it.
    """

    def __init__(self, runner: Any, process: str) -> None:
        self._runner, self._process = runner, process
        self._sent = 0
        self.clock = MasterClock(lambda asked: runner.send_message(QUESTION, {"asked": asked}))
        runner.register_message(END, lambda **_: runner.stop(), concurrent=True)
        runner.register_message(ANSWER, lambda msg, **_: self.clock.hear(**msg.data))

    def begin(self, recorder: Recorder, warmup: float, stages: Sequence[Stage]) -> Ticker:
        """A run begins: ask what time it is; what the ticker cuts from the recorder is sent."""
        self._sent = 0
        self.clock.ask(self._tell_clock)
        recorder.correction = self.clock.correction
        return Ticker(recorder.cut, self._send, warmup, stages, self.clock.now)

    def _tell_clock(self) -> None:
        best = self.clock.best
        facts = {"ahead": -best.ahead, "round_trip": best.round_trip} if best else {"ahead": None}
        self._runner.send_message(CLOCK, {"process": self._process, **facts})

    def _send(self, interval: Interval) -> None:
        self._sent += 1
        self._runner.send_message(INTERVAL, interval.to_json())

    def refuse(self, error: LoadtestError) -> None:
        """Say that this worker cannot run, and why."""
        self._runner.send_message(REFUSAL, {"text": str(error), "code": error.exit_code})

    def last(self) -> None:
        """Say that no more intervals will come, and be there for the next run at once."""
        # Locust lets so long pass, with all users gone, before its worker is ready again; its UI
        # then has counted no workers and lets nobody start. The next run brings its own.
        self._runner.environment.stop_timeout = 0.0
        self._runner.send_message(LAST, {"intervals": self._sent})


def _end_with_parent() -> None:
    """End this worker when the process that forked it is gone, in whatever way.

    Locust's own would wait for another master, for minutes.
    """
    while os.getppid() == _forking:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _worker_runner(
    create: Callable[..., Any], environment: Environment, *master: Any, **options: Any
) -> Any:
    """A worker's runner; Locust does not return from making it until there is a master."""
    if environment.parsed_options and environment.parsed_options.processes:
        gevent.spawn(_end_with_parent)
    return create(environment, *master, **options)


def _master_runner(create: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """A master's runner; Locust fails without a word for a person if another has its port."""
    try:
        return create(*arguments, **options)
    except internals.NetworkError as error:
        print(f"\n--master-bind-port: {error}; choose another", file=sys.stderr)
        sys.exit(UsageError.exit_code)


# No event of Locust comes before the runners are made.
internals.make_runners_with("worker", _worker_runner)
internals.make_runners_with("master", _master_runner)
