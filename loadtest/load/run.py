"""One run in one process: the target of its intervals, its end, and what it must close."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from gevent.lock import RLock

from loadtest.database.server_guard import Guard
from loadtest.live.displays import Live
from loadtest.load import locust_internals as internals
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.run_output import RunOutput
from loadtest.load.shutdown import attempt
from loadtest.load.ticker import Ticker
from loadtest.load.workers.protocol import Workers
from loadtest.model.announced_connections import BEYOND_ANNOUNCED_KIND, beyond_announced
from loadtest.model.deadlock import deadlock_notice
from loadtest.model.end_reason import End, EndReason
from loadtest.model.errors import LoadtestError, MoreThanAnnounced, ServerInTrouble
from loadtest.model.interval import Interval

logger = logging.getLogger("loadtest")


class RunUnderWay:
    """A run from its start to its end; it owns everything that the run opens, and closes it once.

    target: the engine under test; None on a master, before its creation and after a refusal.
    output: takes the intervals of all processes; None on a worker, and after a failed write.
    guard: watches a server that the tool did not start. end: why the run ends; None while it runs.
    under_way: whether the run is measured, independent of Locust's state.
    refuse: ends a run that cannot go on. failed: called with the error with which a run ended.
    """

    def __init__(
        self,
        environment: Any,
        refuse: Callable[[LoadtestError], None],
        failed: Callable[[LoadtestError], None],
    ) -> None:
        self._environment, self._refuse, self._failed = environment, refuse, failed
        self.target: EngineUnderTest | None = None
        self.output: RunOutput | None = None
        self.guard: Guard | None = None
        self.end: End | None = None
        self.under_way = False
        self._deadlock_told = False
        # Locust's time limit counts from here.
        self._started = self._load_began = time.monotonic()
        self._tickers: list[Ticker] = []
        self._opened = ExitStack()
        self._closing = RLock()

    @property
    def time_is_up(self) -> bool:
        """Whether the run has lasted for its run time."""
        limit = self._environment.parsed_options.run_time
        return bool(limit) and time.monotonic() - self._started >= limit - 1

    @property
    def rest_of_load(self) -> float:
        """The rest (s) of the load at the time limit, because the load began after its clock."""
        if self.end or not self.under_way or not self.time_is_up:
            return 0.0
        limit = self._environment.parsed_options.run_time
        return float(max(0.0, self._load_began + limit - time.monotonic()))

    def begin_load(self) -> None:
        """From here on, users can send requests."""
        self._load_began = time.monotonic()

    def at_end(self, step: Callable[[], object]) -> None:
        """Add a step for the end of the run; the last added step runs first."""
        self._opened.callback(attempt, step, self.fail)

    def add_ticker(self, ticker: Ticker) -> None:
        """Own a ticker, which cuts its last interval when the run is closed."""
        self._tickers.append(ticker)
        self.under_way = True
        self.at_end(ticker.stop)

    def write_to(self, output: RunOutput) -> None:
        """Write all further intervals to this output."""
        self.output, self.under_way = output, True

    def take(self, interval: Interval) -> None:
        """Write an interval; refuse the run if that fails, or if the run must not go on."""
        if self.output is None:
            return
        try:
            self.output.add(interval)
        except LoadtestError as error:
            self.output = None
            self._refuse(error)
            return
        if not self._deadlock_told and (notice := deadlock_notice(interval)):
            self._deadlock_told = True
            logger.warning("%s", notice)
        if not self.end and (trouble := self._trouble(interval)):
            self._refuse(trouble)

    def _trouble(self, interval: Interval) -> LoadtestError | None:
        """The error with which this interval ends the run for the sake of others, if any."""
        if interval.counters[BEYOND_ANNOUNCED_KIND]:
            most = self._environment.parsed_options.most_connections
            processes = internals.processes(self._environment.runner)
            return MoreThanAnnounced(beyond_announced(interval, most, processes))
        said = self.guard.take(interval) if self.guard else ""
        return ServerInTrouble(said) if said else None

    def drain(self) -> None:
        """End the measured time; users end their last tasks."""
        for ticker in self._tickers:
            attempt(partial(ticker.enter, "drain"), self.fail)

    def close(self) -> None:
        """Take all steps at the end, the last added first, even if some raise.

        If another greenlet takes them, wait until it has done so.
        """
        self._tickers, self.under_way = [], False
        with self._closing:
            self._opened.pop_all().close()

    def close_output(self, live: Live, workers: Workers | None) -> None:
        """End the result file and the live page's run; workers: those of a master."""
        output, self.output, self.target = self.output, None, None
        end = self.end or End(EndReason.STOPPED)
        try:
            if output:
                wait = self._environment.parsed_options.headless
                output.close(end, workers, wait=wait)
        finally:
            live.end(str(end), output.report if output else lambda: None)

    def fail(self, error: LoadtestError) -> None:
        """Log a failure at the end of the run; the first failure becomes its end."""
        if self.end and not self.end.planned:
            logger.error("%s", error)
            return
        self.end = error.end
        self._failed(error)
