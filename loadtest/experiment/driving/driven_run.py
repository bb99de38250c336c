"""The application of a run: started before the load, watched during it, stopped after it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loadtest.analysis.driven.server_concurrency import thread_facts
from loadtest.experiment.driving.application_environment import environment_of
from loadtest.experiment.driving.running_application import RunningApplication, started
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.runfile.folders import run_files
from loadtest.runfile.merged_recording import RECORDINGS, merge
from loadtest.runfile.reader import RunFile
from loadtest.runfile.recording_files import recorded_part

_WITHOUT_SERVER = "sqlite"


@contextmanager
def application_beside(experiment: Experiment, path: Path) -> Iterator[Callable[[], None]]:
    """The application of an experiment, if any, which runs as long as this context.

    path: the result file of the run. The application's recording is in the folder beside it that
    ends in `.app`, its output in the file that ends in `.app.log`. Returns a check that raises
    LoadtestError if the application has ended, UsageError if it uses a database server. At the end
    the recording becomes part of the result.
    """
    if not experiment.application:
        yield lambda: None
        return
    (application,) = experiment.application
    folder = path.with_suffix(RECORDINGS)
    shutil.rmtree(folder, ignore_errors=True)  # of a run that is repeated
    folder.mkdir()
    environment = environment_of(folder, experiment.name)
    try:
        with started(application, environment, path.with_suffix(".app.log")) as running:
            check = _Check(running, folder)
            check()
            yield check
    except BaseException:
        with suppress(UsageError):  # the first error tells more
            _merge(application, path, folder)
        raise
    _merge(application, path, folder)


def _merge(application: DrivenApplication, path: Path, folder: Path) -> None:
    """Put the recording into the result of the run, if it has one."""
    if path.exists():
        threads = thread_facts(application.words(), os.environ)
        facts = {"command": application.command, "ready": application.ready, **threads}
        merge(path, folder, facts)


class _Check:
    """A check that is repeated during a run."""

    def __init__(self, running: RunningApplication, folder: Path) -> None:
        self._running, self._folder = running, folder
        self._seen = set[str]()

    def __call__(self) -> None:
        self._running.check_alive()
        for path in run_files([self._folder]):
            if path.name not in self._seen and _is_checked(path):
                self._seen.add(path.name)


def _is_checked(part: Path) -> bool:
    """Whether a part of a recording is one of SQLite; False if it cannot be read yet.

    Raises UsageError if its pool connects to a server.
    """
    try:
        header = RunFile(part).header
    except UsageError:  # its first line is being written
        return False
    database = recorded_part(header).database
    if not database.startswith(_WITHOUT_SERVER):
        raise UsageError(
            f"the application's pool {header.pool.name} connects with {database}; only SQLite is "
            "possible with --app"
        )
    return True
