"""An application that runs under a keeper of its own, with its output in a log."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtest.database import supervisor
from loadtest.experiment.child_logs import end_of_log
from loadtest.experiment.driving.readiness import (
    refuse_used_port,
    wait_until_free,
    wait_until_ready,
)
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.recording.python_flags import ignoring_flags


class RunningApplication:
    """An application that has been started; its keeper ends it with the tool.

    log: the file with its output.
    """

    def __init__(self, kept: subprocess.Popen[bytes], log: Path) -> None:
        self._kept, self._log = kept, log

    def check_ready_or_starting(self) -> None:
        """Raise UsageError if it ended before it was ready."""
        if (code := self._kept.poll()) is not None:
            raise UsageError(self._ended(code, "before it was ready"))

    def check_alive(self) -> None:
        """Raise LoadtestError if it has ended."""
        if (code := self._kept.poll()) is not None:
            raise LoadtestError(self._ended(code, "during the run"))

    def _ended(self, code: int, when: str) -> str:
        said = f"the application ended with exit code {code} {when}; the end of its log:"
        return f"{said}\n{end_of_log(self._log)}"


@contextmanager
def started(
    application: DrivenApplication, environment: Mapping[str, str], log: Path
) -> Iterator[RunningApplication]:
    """An application that is ready; it is stopped at the end of this context.

    Raises UsageError if it cannot be started or does not become ready.
    """
    command = _command(application.words())
    refuse_used_port(application)
    with log.open("wb") as output:
        kept = supervisor.start_supervised(command, environment=environment, output=output)
    try:
        running = RunningApplication(kept, log)
        wait_until_ready(application, running.check_ready_or_starting)
        yield running
    finally:
        supervisor.stop_supervised(kept)
        wait_until_free(application)


def _command(words: Sequence[str]) -> list[str]:
    """The command with the path of its program: on PATH, or beside this Python's."""
    if flags := ignoring_flags(words):
        raise UsageError(
            f"--app: {words[0]} is started with {flags}, so Python does not load the recorder"
        )
    found = shutil.which(words[0]) or shutil.which(words[0], path=Path(sys.executable).parent)
    if found is None:
        raise UsageError(f"--app: there is no program {words[0]}")
    return [found, *words[1:]]
