"""An application that runs under a keeper of its own, with its output in a log."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from loadtest.database import supervisor
from loadtest.experiment.child_logs import end_of_output
from loadtest.experiment.driving.control_folder import ControlFolder
from loadtest.experiment.driving.readiness import (
    APPLICATION_READY_SECONDS,
    listening_in_words,
    refuse_used_port,
    wait_until_free,
    wait_until_ready,
)
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.recording.python_flags import ignoring_flags

PREPARE_SECONDS = 300.0


class RunningApplication:
    """An application that has been started; its keeper ends it with the tool.

    output: the file with its output. log: the path of this file, None if it does not stay.
    """

    def __init__(self, kept: subprocess.Popen[bytes], output: IO[bytes], log: Path | None) -> None:
        self._kept, self._output, self._log = kept, output, log

    def wait_until_ready(self, application: DrivenApplication) -> None:
        """Wait until it answers; raises UsageError if it ends before, or does not in time."""
        refusal = wait_until_ready(application, self._check_starting)
        if refusal:
            where = listening_in_words(self._kept.pid, application)
            seconds = f"{APPLICATION_READY_SECONDS:g} s"
            said = f"the application was not ready within {seconds}: {refusal}{where}"
            raise UsageError(f"{said}; {end_of_output(self._output)}")

    def _check_starting(self) -> None:
        if (code := self._kept.poll()) is not None:
            stay = "" if code else ", but --app must stay in the foreground"
            said = f"the application ended with exit code {code} before it was ready{stay}"
            raise UsageError(f"{said}; {end_of_output(self._output)}")

    def check_alive(self) -> None:
        """Raise LoadtestError if it has ended."""
        if (code := self._kept.poll()) is not None:
            said = f"the application ended with exit code {code} during the run"
            raise LoadtestError(f"{said}; {end_of_output(self._output, self._log)}")


@contextmanager
def started(
    application: DrivenApplication,
    environment: Mapping[str, str],
    log: Path | None,
    control: ControlFolder,
) -> Iterator[RunningApplication]:
    """An application that is ready; it is stopped at the end of this context.

    log: takes its output, after what is there, if given. control: is made for it.
    Raises UsageError if it cannot be started or does not become ready.
    """
    command = _command("--app", application.words(), application.cwd)
    refuse_used_port(application)
    with _opened(log) as output:
        kept = supervisor.start_supervised(
            command,
            remove=control.path,
            environment=environment,
            output=output,
            folder=application.cwd,
            grace=application.stop_timeout,
            held=True,
        )
        try:
            control.make()
            supervisor.send_order(kept, supervisor.UP)
            running = RunningApplication(kept, output, log)
            running.wait_until_ready(application)
            yield running
        finally:
            supervisor.stop_supervised(kept)
            wait_until_free(application)


def prepare(
    application: DrivenApplication, environment: Mapping[str, str], log: Path | None
) -> None:
    """Run the command that prepares an application, if it has one; log: takes its output, if given.

    Raises UsageError if the command fails or takes longer than PREPARE_SECONDS.
    """
    if not application.preparing:
        return
    command = _command("--app-prepare", application.preparing, application.cwd)
    with _opened(log) as output:
        kept = supervisor.start_supervised(
            command, environment=environment, output=output, folder=application.cwd
        )
        try:
            code = kept.wait(PREPARE_SECONDS)
        except subprocess.TimeoutExpired:
            ended = f"did not end within {PREPARE_SECONDS:g} s"
        else:
            ended = f"ended with exit code {code}" if code else ""
        finally:
            supervisor.stop_supervised(kept)
        if ended:
            raise UsageError(f"--app-prepare: the command {ended}; {end_of_output(output)}")


def _opened(log: Path | None) -> IO[bytes]:
    """A file for output that can be read, after what is there; a temporary one without a path."""
    return log.open("a+b") if log else tempfile.TemporaryFile("a+b")


def _command(option: str, words: Sequence[str], folder: Path | None) -> list[str]:
    """The command with the path of its program: on PATH, or beside this Python's.

    folder: its working directory, to which a path with a slash is relative.
    """
    if option == "--app" and (flags := ignoring_flags(words)):
        raise UsageError(
            f"--app: {words[0]} is started with {flags}, so Python does not load the recorder"
        )
    if folder and not folder.is_dir():
        raise UsageError(f"--app-cwd: there is no folder {folder}")
    program = str((folder or Path()) / words[0]) if "/" in words[0] else words[0]
    found = shutil.which(program) or shutil.which(program, path=Path(sys.executable).parent)
    if found is None:
        raise UsageError(f"{option}: there is no program {words[0]}{_where(words[0])}")
    return [str(Path(found).absolute()), *words[1:]]


def _where(program: str) -> str:
    """Where a program was searched, for the end of a sentence."""
    return "" if "/" in program else " on PATH, nor beside the Python of loadtest"
