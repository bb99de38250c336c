"""Processes of Locust as forks of one process that has imported everything.

Started as users start them, each imports Locust and this tool for two seconds of a processor.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from loadtest.database import supervisor
from loadtest.experiment import deadlines

ROOT = Path(__file__).resolve().parent.parent
CLIENT = Path(__file__).with_name("warm_client.py")
# Names this process in the environment of a command whose children are to be its forks.
ADDRESS = "LOADTEST_TEST_WARM"
CHILDREN = (
    "locust",
    "loadtest.experiment.scenario_check",
    "loadtest.experiment.trial.trial_process",
    "loadtest.load.setup.driver_probe",
)
UNPATCHED = "LOCUST_SKIP_MONKEY_PATCH"
# Not that of the first client: it may have settings for Locust.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
_DEADLINES = (deadlines.LOOK_SECONDS, deadlines.START_SECONDS, deadlines.TRIAL_LIMIT_SECONDS)
_watched_command = deadlines.watched_command


class WarmProcess:
    """The process that forks; it starts with the first command and ends with the tests."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._address = ""
        atexit.register(self._stop)

    @property
    def address(self) -> str:
        """The name of its socket."""
        if not self._address:
            self._address = os.environ.get(ADDRESS) or self._started()
        return self._address

    def command(self, module: str, *arguments: object) -> list[str]:
        """The command line that runs a module in a fork, as `python -m` does."""
        client = [sys.executable, "-I", "-S", str(CLIENT), self.address]
        return [*client, module, *map(str, arguments)]

    def _started(self) -> str:
        address = f"warm-{uuid.uuid4().hex}"
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tests.warm_process", address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=_ENVIRONMENT,
            start_new_session=True,
            preexec_fn=supervisor.die_with_parent,  # noqa: PLW1509 - killed tests leave nothing
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"
        return address

    def _stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


WARM = WarmProcess()


@contextmanager
def warm_children() -> Iterator[None]:
    """A while in which checks, trials and runs that this process starts are forks."""
    with mock.patch.object(deadlines, "watched_command", _command):
        yield


def _command(module: str, *arguments: str) -> list[str]:
    command = _watched_command(module, *arguments)
    if not _fits(module, arguments):
        return command
    _, _, _, child, *words = command  # after python -u -m
    return WARM.command(child, *words)


def _fits(module: str, arguments: tuple[str, ...]) -> bool:
    """Whether a fork is like a new process: it is patched, and has the usual deadlines."""
    usual = (deadlines.LOOK_SECONDS, deadlines.START_SECONDS, deadlines.TRIAL_LIMIT_SECONDS)
    patched = "loadtest.threads" not in arguments and UNPATCHED not in os.environ
    return module in CHILDREN and patched and usual == _DEADLINES
