"""The application of a run: started before the load, watched during it, stopped after it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from loadtest.experiment.child_logs import shorten_log
from loadtest.experiment.driving.application_environment import environment_of, own_environment
from loadtest.experiment.driving.application_watch import ApplicationWatch
from loadtest.experiment.driving.control_folder import ControlFolder
from loadtest.experiment.driving.process_count import wait_for_processes
from loadtest.experiment.driving.read_back import asked_settings
from loadtest.experiment.driving.running_application import prepare, started
from loadtest.experiment.driving.servers.driven_server import DrivenServer
from loadtest.experiment.run_plan import RunPlan
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import RefusedRun, UsageError
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig
from loadtest.recording.steering.orders import Orders
from loadtest.runfile.merged_recording import RECORDINGS, merge

LOG = ".app.log"


class Watched(Protocol):
    """What runs beside the load."""

    def check(self) -> None:
        """Raise an error if the run cannot go on."""

    def take(self, interval: Interval) -> None:
        """Take an interval of the run, also one of the server."""


class NothingWatched:
    """Nothing runs beside the load."""

    def check(self) -> None:
        """Accept everything."""

    def take(self, interval: Interval) -> None:
        """Take nothing."""


@contextmanager
def naming_application(name: str) -> Iterator[None]:
    """Puts the name of an application before the problems of a UsageError; empty: before none."""
    try:
        yield
    except UsageError as error:
        if not name:
            raise
        raise UsageError(*(f"{name}: {problem}" for problem in error.problems)) from None


@contextmanager
def application_beside(plan: RunPlan, path: Path, server: DrivenServer) -> Iterator[Watched]:
    """The application of a run, if any, which runs as long as this context.

    path: the result file of the run. The application's recording is in the folder beside it that
    ends in `.app`, its output in the file that ends in `.app.log`. At the end the recording becomes
    part of the result; of a run that is refused, no result is left.
    """
    if not plan.experiment.application:
        yield NothingWatched()
        return
    (application,) = plan.experiment.application
    folder, log = path.with_suffix(RECORDINGS), path.with_suffix(LOG)
    shutil.rmtree(folder, ignore_errors=True)  # of a run that is repeated
    folder.mkdir()
    log.write_bytes(b"")
    name = plan.experiment.name
    watch: ApplicationWatch | None = None
    try:
        with driven(application, plan.pool, server, name, folder, log) as watch:
            watch.leave_known()
            yield watch
            watch.conclude()
            watch.wait_for_last_second()
    except RefusedRun:
        path.unlink(missing_ok=True)
        shutil.rmtree(folder)
        raise
    except BaseException:
        with suppress(UsageError):  # the first error tells more
            _merge(watch, path, folder)
        raise
    finally:
        shorten_log(log)
    _merge(watch, path, folder)


@contextmanager
def driven(
    application: DrivenApplication,
    pool: PoolConfig,
    server: DrivenServer,
    name: str,
    folder: Path | None = None,
    log: Path | None = None,
) -> Iterator[ApplicationWatch]:
    """An application with the requested pool that is ready, and what watches it.

    name: the recording's, if the application has none. folder: takes the recording. log: takes the
    output. Without them, both are thrown away.
    Raises UsageError if it cannot be started, RefusedRun if it has another pool or another number
    of processes.
    """
    own = own_environment(application, server.url, private=server.private)
    prepare(application, own, log)
    with ControlFolder() as control:
        folder = folder or control.recording
        ceiling = server.ceilings.get(pool.name)
        redirect = server.relay.address if server.relay else None
        asked = asked_settings(pool)
        orders = Orders(str(control.pipe), asked, application.engine, ceiling, redirect)
        environment = environment_of(folder, application.name or name, own, control, orders)
        watch = ApplicationWatch(application, pool, server, control, folder)
        with started(application, environment, log, control) as watch.running:
            watch.check()
            wait_for_processes(application, watch.engines, watch.check)
            yield watch


def _merge(watch: ApplicationWatch | None, path: Path, folder: Path) -> None:
    """Put the recording into the result of the run, if it has one."""
    if watch and path.exists():
        merge(path, folder, watch.facts, watch.names, watch.engines.forked)
