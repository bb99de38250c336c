"""Measures the users of this process during each run: their pool, or their requests alone."""

from __future__ import annotations

import random
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import Any

from loadtest.database.preflight import server_probe
from loadtest.load import locust_internals as internals
from loadtest.load.announced_limits import AnnouncedLimits
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.run import RunUnderWay
from loadtest.load.setup.database_setup import DatabaseSetup
from loadtest.load.users.request_log import RequestLog
from loadtest.load.users.user_levels import user_levels
from loadtest.model.interval import Interval, Period
from loadtest.model.pool import PoolConfig
from loadtest.pool.recorder import Recorder


class MeasuredUsers:
    """The users of one Locust process; they use an engine under test, or drive an application.

    targets: the engines of the runs so far that may still have connections.
    """

    def __init__(
        self,
        environment: Any,
        runner: Any,
        process: str,
        database: DatabaseSetup,
        limits: AnnouncedLimits,
    ) -> None:
        self._environment, self._runner, self._process = environment, runner, process
        self._database, self._limits = database, limits
        self.targets: list[EngineUnderTest] = []

    def begin(
        self, run: RunUnderWay, options: Namespace, pool: PoolConfig
    ) -> tuple[Recorder, Callable[[Period], Interval]]:
        """Begin to measure a run until its end; returns the recorder, and what cuts it."""
        random.seed(f"{options.seed}-{internals.worker_index(self._runner)}")
        if options.driving:
            return self._drive(run)
        recorder = self._use_engine(run, options, pool)
        return recorder, recorder.cut

    def _drive(self, run: RunUnderWay) -> tuple[Recorder, Callable[[Period], Interval]]:
        recorder, hook = Recorder(self._process), self._environment.events.request
        log, runner = RequestLog(recorder), self._runner
        # Not `users`, which are those of a pool.
        recorder.levels["load_users"] = lambda: runner.user_count
        hook.add_listener(log.hear)
        run.at_end(partial(hook.remove_listener, log.hear))
        recorder.restart()
        return recorder, log.cut

    def _use_engine(self, run: RunUnderWay, options: Namespace, pool: PoolConfig) -> Recorder:
        run.target = target = self._new_target(options, pool)
        self.targets.append(target)
        run.at_end(target.close)
        recorder = target.recorder
        recorder.levels |= user_levels(self._environment, self._runner)
        recorder.levels["checked_out"] = target.checked_out
        target.start()
        return recorder

    def forget_closed(self) -> None:
        """Forget the engines without open connections."""
        self.targets = [target for target in self.targets if target.recorder.opened]

    def _new_target(self, options: Namespace, pool: PoolConfig) -> EngineUnderTest:
        server_probe.raise_open_files_limit(self._limits.of_process())
        database = self._database
        return EngineUnderTest(
            database.url,
            pool,
            options,
            tls=database.facts.tls,
            process=self._process,
            index=internals.worker_index(self._runner),
            ceiling=self._limits.of_process if database.foreign else None,
            application=database.application,
        )
