"""Looks at an application before its runs: its engines, their server and its processes."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.experiment.driving.application_watch import ApplicationWatch
from loadtest.experiment.driving.driven_run import driven
from loadtest.experiment.driving.servers.driven_server import DrivenServer
from loadtest.experiment.driving.told_engines import ToldEngine
from loadtest.model.errors import RefusedRun, UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.pool import PoolConfig
from loadtest.model.server_identity import ReachedServer

# The first process that answers makes the application ready; the others may still import.
UNCHANGED_SECONDS, MOST_SECONDS_OF_LOOK = 1.0, 10.0
_POLL_SECONDS = 0.05
_UNPREPARED = (
    "--app-prepare has not run before this first start, because the application's server is not "
    "known before it. If the application needs it to start, run it once yourself, or name the "
    "database with --app-env NAME={database_url}"
)


@dataclass(frozen=True)
class ApplicationFacts:
    """An application that was ready, and had no load.

    engine: the one that is meant; None if requests make it. others: those that are not, one for
    each place in the code. processes: those with engines, without parents that only fork. seconds:
    how long the look took. reached: the servers that engines connected to, by their identity.
    """

    engine: ToldEngine | None
    others: Sequence[ToldEngine]
    processes: int
    seconds: float
    reached: Mapping[Any, Collection[ReachedServer]] = field(default_factory=dict)

    def reached_by(self, engine: ToldEngine) -> Collection[ReachedServer]:
        """The servers that connections of an engine reached; empty if it has not connected."""
        return self.reached.get(engine.identity, ())

    @property
    def seen(self) -> Collection[object]:
        """The identities of all engines."""
        return {one.identity for one in (self.engine, *self.others) if one}


def look_at(experiment: Experiment, server: DrivenServer) -> ApplicationFacts:
    """Start the application of an experiment with its smallest pool, look at it, and stop it.

    Without a database in `server` the command that prepares it does not run: it may write to a
    server that is only announced after the look.
    Raises UsageError if it does not become ready, RefusedRun if the runs would be refused.
    """
    (application,) = experiment.application
    begun, pool = time.monotonic(), smallest_pool(experiment)
    unprepared = bool(application.prepare) and server.url is None
    if unprepared:
        application = application.model_copy(update={"prepare": ""})
    try:
        with driven(application, pool, server, experiment.name) as watch:
            processes = _settled(watch)
            engines = watch.engines
    except RefusedRun:
        raise
    except UsageError as error:
        raise UsageError(*error.problems, *([_UNPREPARED] if unprepared else [])) from None
    seconds = time.monotonic() - begun
    meant = next(iter(engines.meant), None)
    found = [one for one in (meant, *engines.others) if one]
    reached = {one.identity: engines.reached(one) for one in found}
    return ApplicationFacts(meant, engines.others, processes, seconds, reached)


def _settled(watch: ApplicationWatch) -> int:
    """The number of processes with engines, when it has not changed for a while."""
    now = changed = time.monotonic()
    ends, processes = now + MOST_SECONDS_OF_LOOK, _alive(watch)
    while (now := time.monotonic()) < min(changed + UNCHANGED_SECONDS, ends):
        time.sleep(_POLL_SECONDS)
        watch.check()
        if (found := _alive(watch)) != processes:
            processes, changed = found, now
    return processes


def smallest_pool(experiment: Experiment) -> PoolConfig:
    """The pool of an experiment with the fewest connections."""
    return min(experiment.pool, key=_size)


def _size(pool: PoolConfig) -> float:
    """The most connections of a pool; infinite without a limit and if its sizes are unknown."""
    most = pool.most_connections
    return math.inf if most is None else most


def _alive(watch: ApplicationWatch) -> int:
    return len(watch.serving)
