"""Measures the users of this process during each run: their pool, or their requests alone."""

from __future__ import annotations

import random
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from loadtest.database.preflight import server_probe
from loadtest.load import locust_internals as internals
from loadtest.load.announced_limits import AnnouncedLimits
from loadtest.load.driving_users import DrivingUsers
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.run import RunUnderWay
from loadtest.load.setup.database_setup import DatabaseSetup
from loadtest.load.setup.driven_database import pool_beside
from loadtest.load.users.request_names import request_names
from loadtest.load.users.user_levels import pool_users, user_levels
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
        driving = environment.parsed_options.driving
        self._driving = DrivingUsers(environment, runner, process) if driving else None
        self.targets: list[EngineUnderTest] = []

    def begin(
        self, run: RunUnderWay, options: Namespace, pool: PoolConfig
    ) -> tuple[Recorder, Callable[[Period], Interval]]:
        """Begin to measure a run until its end; returns the recorder, and what cuts it."""
        random.seed(f"{options.seed}-{internals.worker_index(self._runner)}")
        if self._driving:
            return self._driving.begin(run, options, self._beside(run, options))
        recorder = self._use_engine(run, options, pool)
        return recorder, recorder.cut

    def _beside(self, run: RunUnderWay, options: Namespace) -> EngineUnderTest | None:
        """The engine of PoolUsers beside users that drive an application, if there are any."""
        if not pool_users(self._environment.user_classes):
            return None
        return self._open(run, options, pool_beside(options.most_connections))

    def _open(self, run: RunUnderWay, options: Namespace, pool: PoolConfig) -> EngineUnderTest:
        """The engine of a run, for as long as it lasts."""
        run.target = target = self._new_target(options, pool)
        target.request_names = request_names(pool_users(self._environment.user_classes))
        self.targets.append(target)
        run.at_end(target.close)
        return target

    def _use_engine(self, run: RunUnderWay, options: Namespace, pool: PoolConfig) -> Recorder:
        target = self._open(run, options, pool)
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
