"""The single runs in a folder of results: they outlive the process that measured them.

Runs with a report have its numbers. A run whose process was killed has no report: its numbers are
those in its file.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtest.live.run_so_far import RunSoFar
from loadtest.model.errors import UsageError
from loadtest.model.interval import SERVER
from loadtest.runfile.folders import as_typed, reported_folders, unreported_runs
from loadtest.runfile.footer import footer_of
from loadtest.runfile.growing_part import being_written
from loadtest.runfile.reader import RunFile
from loadtest.runfile.shared_interpreter import let_others_run
from loadtest.runfile.written_summary import read_summary

MOST_LISTED = 50
# One request reads as many bytes of new run files; a longer file is listed without numbers.
MOST_READ = 8 * 2**20
SUMMARY = "summary.json"
_NOT_VALID = "The measurement is not valid."
_INTERRUPTED = "interrupted: its process ended before the run did"


@dataclass(frozen=True)
class EndedRun:
    """A run, and its numbers without the warm-up; None where there is none.

    name: of its folder of results. begun: UTC seconds. seconds: measured. per_second: requests
    that succeeded. wait_p95: of the waits for a connection (s); without a report, of those that
    had ended. at_least: whether it is a lower bound. errors: the share of requests that failed.
    problem: why the run is not valid or has no report, empty otherwise. command: makes the missing
    report; empty if there is one.
    """

    name: str
    file: Path
    pool: str
    begun: float
    seconds: float | None = None
    per_second: float | None = None
    wait_p95: float | None = None
    at_least: bool = False
    errors: float | None = None
    problem: str = ""
    command: str = ""

    def facts(self) -> dict[str, Any]:
        """The run in JSON's types, without its path."""
        return {name: value for name, value in asdict(self).items() if name != "file"}


def reported_run(folder: Path) -> EndedRun | None:
    """The run of a folder with a report.

    None if the folder has several runs, or if its summary is unreadable.
    """
    files = sorted(folder.glob("runs/*.jsonl"))
    summary = read_summary(folder / SUMMARY)
    if len(files) != 1 or summary is None or len(summary.pools) != 1:
        return None
    (pool,), measured_in = summary.pools, summary.environment
    return EndedRun(
        name=folder.name,
        file=files[0],
        pool=pool.name,
        begun=measured_in.started or 0.0,
        seconds=pool.seconds,
        per_second=pool.throughput.per_second,
        wait_p95=pool.checkout.wait_seconds.p95,
        at_least="p95" in pool.checkout.wait_seconds.at_least,
        errors=pool.errors.rate,
        problem="" if pool.valid else next((one.message for one in pool.findings), _NOT_VALID),
    )


def interrupted_run(file: RunFile, numbers: Mapping[str, Any]) -> EndedRun:
    """The run of a file without a footer; its folder has no other run and no report."""
    folder = file.path.parent.parent
    return EndedRun(
        name=folder.name,
        file=file.path,
        pool=file.header.pool.name,
        begun=file.header.started,
        **numbers,
        problem=_INTERRUPTED,
        command=f"loadtest report {shlex.quote(as_typed(folder))}",
    )


def numbers_in(file: RunFile) -> dict[str, float | None]:
    """The numbers of a run from its file; other greenlets go on while it is read.

    Of a driven application, the waits are those of its pools.
    """
    of_role = {"": RunSoFar(), "application": RunSoFar()}
    for interval in file.whole():
        if interval.process != SERVER:
            of_role[interval.role].add(interval)
        let_others_run()
    load, pools = (one.numbers() for one in of_role.values())
    return {**load, "wait_p95": pools["wait_p95"]} if file.header.driven else load


class EndedRuns:
    """The ended runs in a folder of results; each summary and each run file is read when it is new.

    folder: returns the folder, which may not exist yet.
    """

    def __init__(self, folder: Callable[[], Path]) -> None:
        self.folder = folder
        self._known: dict[Path, tuple[int, EndedRun | None]] = {}
        self._unread = MOST_READ

    def newest(self) -> list[EndedRun]:
        """The runs with the newest files, the one that began last first."""
        folder = self.folder()
        found = [*self._reported(folder), *self._interrupted(folder)]
        return sorted(found, key=lambda run: -run.begun)[:MOST_LISTED]

    def _reported(self, parent: Path) -> list[EndedRun]:
        found: list[EndedRun] = []
        for folder in reported_folders(parent):
            if len(found) < MOST_LISTED and (run := self._of_report(folder)):
                found.append(run)
        return found

    def _of_report(self, folder: Path) -> EndedRun | None:
        try:
            written = (folder / SUMMARY).stat().st_mtime_ns
        except OSError:
            return None
        before, run = self._known.get(folder, (0, None))
        if before != written:
            run = reported_run(folder)
            self._known[folder] = written, run
        return run

    def _interrupted(self, parent: Path) -> list[EndedRun]:
        found: list[EndedRun] = []
        self._unread = MOST_READ
        for written, path in unreported_runs(parent):
            if len(found) < MOST_LISTED and (run := self._of_file(path, written)):
                found.append(run)
        return found

    def _of_file(self, path: Path, written: int) -> EndedRun | None:
        before, run = self._known.get(path, (0, None))
        if before == written:
            return run
        try:
            file = RunFile(path)
            if being_written(path):
                return None
            ended = footer_of(path) or file.header.recording
            run = None if ended else interrupted_run(file, self._numbers(file))
        except (OSError, UsageError):  # removed, or no run file
            return None
        if run is None or run.seconds is not None or file.size > MOST_READ:
            self._known[path] = written, run
        return run

    def _numbers(self, file: RunFile) -> dict[str, float | None]:
        """The numbers of a file; none if this request has read enough."""
        if file.size > self._unread:
            return {}
        self._unread -= file.size
        return numbers_in(file)
