"""Commands that run beside a test, watched from outside, and all that they leave behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil
from prometheus_client.parser import text_string_to_metric_families

from loadtest.database import supervisor
from loadtest.model.interval import Interval
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, exit_code_here, without_database
from tests.undisturbed import undisturbed, without_figures
from tests.warm_children import ADDRESS, WARM

# How long to wait for something before the test is given up: no measure of anything.
PATIENCE_SECONDS = 90
MARK = "LOADTEST_TEST_MARK"
MEASURING = ("run", "compare", "tune", "demo")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Tests in a shell's background ignore Ctrl-C, and their children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

T = TypeVar("T")
Sample = tuple[str, tuple[tuple[str, str], ...]]


class Running:
    """A command under way in the background, its output in a file.

    Whatever it starts carries a mark in its environment, so that no descendant is lost.
    warm: whether the checks, trials and runs that a command of the tool starts are forks of a warm
    process, which have other command lines.
    """

    def __init__(
        self,
        log: Path,
        *command: Any,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        warm: bool = False,
    ) -> None:
        self.log, self.mark = log, uuid.uuid4().hex
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=_environment(env, self.mark) | ({ADDRESS: WARM.address} if warm else {}),
                start_new_session=True,
                preexec_fn=supervisor.die_with_parent,  # noqa: PLW1509 - killed tests leave nothing
            )

    @property
    def output(self) -> str:
        """All that it has said so far."""
        return _text(self.log)

    def signal(self, number: int) -> None:
        """Send a signal to this process alone, not to its children."""
        os.kill(self.process.pid, number)

    def wait(self, patience: float = PATIENCE_SECONDS) -> int:
        """Its exit code."""
        return self.process.wait(patience)

    def until(self, condition: Callable[[], T | None], what: str) -> T:
        """What the condition gives once it holds; fails when the process ends before that."""
        return until(condition, what, lambda: self.process.poll() is None, lambda: self.output)

    def alive(self) -> list[psutil.Process]:
        """This process and everything it has started, as far as still there."""
        return _marked(self.mark)

    def gone(self) -> bool:
        """Whether nothing is left of it."""
        return not self.alive()

    def kill(self) -> None:
        """Kill it, give what it started a while to clean up, and kill what is left then."""
        if self.process.poll() is None:
            self.process.kill()
        deadline = time.monotonic() + 20
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        while left := self.alive():
            for process in left:
                process.kill()
            psutil.wait_procs(left, timeout=1)
        self.process.wait()


class Ended(NamedTuple):
    """A command that has ended; output: all that it said."""

    code: int
    output: str


@contextmanager
def running(
    log: Path,
    *command: Any,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    warm: bool = False,
) -> Iterator[Running]:
    """A command that runs as long as the block lasts; warm: as for `Running`."""
    process = Running(log, *command, env=env, cwd=cwd, warm=warm)
    try:
        yield process
    finally:
        process.kill()


def ended_here(
    log: Path, *words: Any, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> Ended:
    """A `loadtest` command, run to its end in this process; nothing that it started is left.

    A process of its own would import everything again, where only its children are measured.
    """
    mark = uuid.uuid4().hex
    environment = _environment(env, mark)
    with _output_in(log), undisturbed(), without_figures():
        code = exit_code_here(["loadtest", *map(str, words)], environment, cwd)
    until(lambda: not _marked(mark), "everything to end", context=lambda: f"{_marked(mark)}")
    return Ended(code, _text(log))


@contextmanager
def _output_in(log: Path) -> Iterator[None]:
    """A time in which this process writes to a file."""
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            with redirect_stdout(file), redirect_stderr(file):
                yield
    finally:
        for number, usual in enumerate(kept, 1):
            os.dup2(usual, number)
            os.close(usual)


def _environment(given: Mapping[str, str] | None, mark: str) -> dict[str, str]:
    # The path is for `tests.undisturbed`, which is not installed.
    return {"PYTHONPATH": str(ROOT), **without_database(), **(given or {}), MARK: mark}


def _text(log: Path) -> str:
    return log.read_text(errors="replace")


def _marked(mark: str) -> list[psutil.Process]:
    """The processes with a mark in their environment."""

    def has(process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == mark
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if has(process)]


def locust_command(*arguments: Any) -> list[str]:
    """The command line of Locust as a person would type it."""
    return [sys.executable, "-m", "locust", *map(str, arguments)]


def warm_locust_command(*arguments: Any) -> list[str]:
    """Like `locust_command`, in a fork of a warm process, which has another command line."""
    return WARM.command("locust", *arguments)


def loadtest_command(*arguments: Any) -> list[str]:
    """The command line of the tool; no other test disturbs its measurements."""
    module = "tests.undisturbed" if arguments[0] in MEASURING else "loadtest"
    return [sys.executable, "-m", module, *map(str, arguments)]


def run_locust(log: Path, *arguments: Any, env: Mapping[str, str] | None = None) -> Running:
    """Locust, run to its end, in a fork of a warm process."""
    with running(log, *warm_locust_command(*arguments), env=env) as process:
        process.wait()
        until(process.gone, "everything that Locust started to end")
        return process


def until(
    condition: Callable[[], T | None],
    what: str,
    possible: Callable[[], bool] = lambda: True,
    context: Callable[[], str] = str,
) -> T:
    """What the condition gives once it holds; fails when it cannot hold any more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        hope = possible() and time.monotonic() < deadline
        if result := condition():
            return result
        if not hope:
            raise AssertionError(f"waited in vain for {what}\n{context()[-3000:]}")
        time.sleep(0.05)


def stop_with(process: Running, number: signal.Signals) -> int:
    """Send a signal and wait until the process and everything it started is gone."""
    process.signal(number)
    code = process.wait()
    until(process.gone, "everything to end", context=lambda: f"{process.alive()}{process.output}")
    return code


def free_port() -> int:
    """A free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(address: str) -> str:
    """The body of a page; empty if no server answers."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def samples(exposition: str) -> dict[Sample, float]:
    """The samples of a page of metrics by name and sorted labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
    }


def so_far(path: Path) -> Sequence[Interval]:
    """The intervals in a file that may only come to be."""
    return read_run(path).intervals if path.exists() and path.stat().st_size else ()
