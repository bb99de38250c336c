"""The comparison report of ended runs, made as `loadtest report RUN RUN` makes it."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from loadtest.live.ended_runs import EndedRun
from loadtest.live.report_process import REPORTED, report_command
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.runfile.comparability import refuse_incomparable
from loadtest.runfile.folders import new_folder
from loadtest.runfile.reader import RunFacts, RunFile

# Long runs take long to read; a report that takes longer is not made in the browser.
LONGEST_SECONDS = 300


def refuse_comparison(runs: Sequence[EndedRun]) -> None:
    """Raise UsageError with the reasons why these runs cannot be compared, if there are any."""
    names = [run.name for run in runs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(*(f"{name} is there twice; tick two different runs" for name in twice))
    if len(runs) < 2:
        raise UsageError("a comparison needs two runs; tick another one")
    if empty := [run for run in runs if run.seconds == 0]:
        raise UsageError(*(f"{run.name} measured nothing: {run.problem}" for run in empty))
    if len({run.pool for run in runs}) == 1:
        raise UsageError(f"all of these runs have the pool {runs[0].pool}; tick one with another")
    facts = [_facts(run) for run in runs]
    refuse_incomparable(facts)
    _refuse_other_settings(facts)


def _facts(run: EndedRun) -> RunFacts:
    """The facts of a run, with its name for its path: an error names the run, not the file."""
    file = RunFile(run.file)
    return RunFacts(Path(run.name), file.header, file.told, footer=None)


def _refuse_other_settings(runs: Sequence[RunFacts]) -> None:
    first = {run.pool_name: run for run in reversed(runs)}
    for run in runs:
        one = first[run.pool_name]
        if one.header.pool != run.header.pool:
            raise UsageError(
                f"the pool {run.pool_name} has other settings in {run.path} than in {one.path}; "
                "give them different names (pool_name)"
            )


def report_in_process(runs: Sequence[EndedRun], out: Path) -> None:
    """Make the report of runs in a folder; raises LoadtestError with what the command said."""
    command = report_command([run.file for run in runs], out)
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        files = " ".join(str(run.file) for run in runs)
        raise LoadtestError(
            f"the report took longer than {LONGEST_SECONDS} s; try: loadtest report {files}"
        ) from None
    if done.returncode not in REPORTED:
        raise LoadtestError(done.stderr.strip() or "the report failed")


class ComparisonReports:
    """Makes comparison reports in a folder of results, one at a time.

    results: returns the folder. make: makes the report of runs in a new folder.
    """

    def __init__(
        self,
        results: Callable[[], Path],
        make: Callable[[Sequence[EndedRun], Path], None] = report_in_process,
    ) -> None:
        self._results, self._make = results, make
        self._busy = threading.Lock()

    def of(self, runs: Sequence[EndedRun]) -> Path:
        """The folder of the report of some runs.

        Raises UsageError if they cannot be compared, LoadtestError if the report fails.
        """
        refuse_comparison(runs)
        if not self._busy.acquire(blocking=False):
            raise LoadtestError("another comparison report is being made; try again soon")
        try:
            return self._made(runs)
        finally:
            self._busy.release()

    def _made(self, runs: Sequence[EndedRun]) -> Path:
        folder = new_folder(self._results(), "comparison", latest=False)
        (folder / "runs").rmdir()  # the runs stay where they are
        try:
            self._make(runs, folder)
        except LoadtestError:
            shutil.rmtree(folder)
            raise
        return folder
