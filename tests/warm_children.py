"""The check and the trial of a scenario, in forks of one process that has imported everything.

In a process of their own, as users have them, each imports Locust and this tool for two seconds of
a processor. Runs, which are measured, are processes of their own in tests, too.
"""

import locust  # noqa: F401 - first: gevent patches what the others import

import atexit
import gc
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import gevent
from gevent import monkey

from loadtest.database import supervisor
from loadtest.experiment import deadlines, rounds
from loadtest.model.errors import LoadtestError

ROOT = Path(__file__).resolve().parent.parent
CHILD = "loadtest.experiment.child_process"
ANSWERING = ("loadtest.experiment.scenario_check", "loadtest.experiment.trial.trial_process")
# Not that of the first question: it may have settings for Locust.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
_ask = rounds._ask


class WarmProcess:
    """The process that forks; it starts with the first question and ends with the tests."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        atexit.register(self._stop)

    def ask(
        self,
        command: list[str],
        environment: dict[str, str],
        seconds: float,
        late: Callable[[str], LoadtestError],
    ) -> tuple[str, str]:
        """Like the function of the same name in `rounds`; by it where a fork would differ."""
        if not _fits(command, seconds):
            return _ask(command, environment, seconds, late)
        words = command[command.index(CHILD) + 1 :]
        with tempfile.TemporaryDirectory() as folder:
            files = [f"{folder}/answer", f"{folder}/said"]
            question = [words, environment, os.getcwd(), files]
            try:
                self._exchange(json.dumps(question))
            except BaseException:
                self._stop()
                raise
            answer, said = (Path(name).read_text(errors="replace") for name in files)
        return answer, said

    def _exchange(self, question: str) -> None:
        if not self._process:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-m", "tests.warm_children"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=_ENVIRONMENT,
                start_new_session=True,
                preexec_fn=supervisor.die_with_parent,  # noqa: PLW1509 - killed tests leave nothing
            )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "ended\n"

    def _stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


WARM = WarmProcess()


@contextmanager
def warm_children() -> Iterator[None]:
    """A time in which this process asks forks."""
    with mock.patch.object(rounds, "_ask", WARM.ask):
        yield


def _fits(command: list[str], seconds: float) -> bool:
    """Whether a fork answers as a new process: it is patched, and has the usual deadline."""
    usual = seconds >= deadlines.LOOK_SECONDS == 60
    return command[5] in ANSWERING and "loadtest.threads" not in command and usual


def _answer() -> None:
    """Fork for each line of standard input; a fork answers and ends."""
    fork, wait = (monkey.get_original("os", name) for name in ("fork", "waitpid"))
    for line in sys.stdin:
        if pid := fork():
            wait(pid, 0)
            print("ended", flush=True)
        else:
            supervisor.die_with_parent()
            _become(*json.loads(line))
            return


def _become(words: list[str], environment: dict[str, str], folder: str, files: list[str]) -> None:
    gevent.reinit()
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    for number, name in enumerate((os.devnull, *files)):
        opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    for name in (CHILD, *ANSWERING):
        sys.modules.pop(name, None)
    sys.argv = [CHILD, *words]
    runpy.run_module(CHILD, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    from loadtest.experiment import locust_settings, scenario_check  # noqa: F401
    from loadtest.experiment.trial import trial_process  # noqa: F401

    gc.freeze()  # forks share the pages of what is never collected
    _answer()
