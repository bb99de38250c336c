"""An experiment from its first check to its last run, whoever may want it to end before."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtest.analysis.comparison.objective_check import drops_arrivals
from loadtest.analysis.summarize import summarize
from loadtest.experiment.databases import databases
from loadtest.experiment.rounds import check_scenario, plans, run_all
from loadtest.experiment.single_run import Databases
from loadtest.model.allowances import NO_ALLOWANCES, Allowances
from loadtest.model.errors import Ended, EndedForOthers, LoadtestError, UsageError
from loadtest.model.experiment import Experiment
from loadtest.report.console import plain
from loadtest.report.progress import PlannedRun, RunProgress
from loadtest.report.render import read_measurements
from loadtest.runfile.folders import new_folder

DoRuns = Callable[[Experiment, Databases, Path, RunProgress], bool]


def _all_rounds(experiment: Experiment, at: Databases, folder: Path, progress: RunProgress) -> bool:
    return run_all(experiment, at, folder, progress, is_decided)


def conduct(
    experiment: Experiment,
    database_url: str,
    results: Path,
    console: Console,
    *,
    quiet: bool,
    allowed: Allowances = NO_ALLOWANCES,
    runs: DoRuns = _all_rounds,
    most: int | None = None,
) -> tuple[Path, bool]:
    """Do all runs; the folder with their results, and whether nobody ended them before.

    allowed: what a person allows on a server of theirs.
    runs: does them, by default all rounds of all pools. most: how many there may be, where
    nobody knows how many there will.
    Raises UsageError, and KeyboardInterrupt if they were ended before anything was measured; then
    no folder is left. Raises Ended where a failure left something to report.
    """
    with _sigterm_as_ctrl_c():
        looked = check_scenario(experiment, database_url, connect=True)
        planned = list[PlannedRun](plans(experiment))
        _tell(console, filter(None, [looked.ignored, *looked.warnings]), "yellow")
        if not (database_url or looked.place or quiet):
            console.print("[dim]No database given: starting a private server[/]")
        with databases(database_url, experiment, looked, allowed, most or len(planned)) as at:
            for one in at.values():
                _tell(console, one.warnings, "yellow")
                _tell(console, () if quiet else filter(None, [one.ready, *one.intentions]), "dim")
            folder = new_folder(results, experiment.name, latest=False)
            try:
                with RunProgress(console, planned, quiet=quiet, most=most) as progress:
                    do = partial(runs, experiment, at, folder, progress)
                    complete = _done(folder, console, do)
            finally:
                _tell(console, filter(None, [one.left() for one in at.values()]), "yellow")
    return folder, complete


def _tell(console: Console, lines: Iterable[str], style: str) -> None:
    for line in lines:
        console.print(plain(line, console, style), soft_wrap=True)


def _done(folder: Path, console: Console, runs: Callable[[], bool]) -> bool:
    """Do runs into a folder, which goes again if there is nothing in it to report."""
    try:
        complete = runs()
    except KeyboardInterrupt:  # between two of them
        complete = False
    except EndedForOthers as error:
        _tell(console, [f"Ended: {error.end}"], "red")
        return False
    except LoadtestError as error:
        if _measured(folder):
            raise Ended(error, folder) from None
        if isinstance(error, UsageError):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if not complete and not _measured(folder):
        shutil.rmtree(folder, ignore_errors=True)
        raise KeyboardInterrupt
    return complete


def _measured(folder: Path) -> bool:
    """Whether there is anything to report."""
    return any(b'"period":"measured"' in path.read_bytes() for path in folder.glob("runs/*.jsonl"))


def is_decided(folder: Path) -> bool:
    """Whether no more rounds are needed: it is open of no pool if it is as good as the baseline, or
    keeps to the objective.
    """
    summary = summarize(read_measurements([folder]))
    primary = [one.decision for one in summary.comparisons if one.role == "primary"]
    # What has no interval, or lacks the times of dropped arrivals, no more rounds would decide.
    asked = [pool.objectives for pool in summary.pools if pool.valid and not drops_arrivals(pool)]
    is_open = any(one.met is None and one.ci95 for objectives in asked for one in objectives)
    return "undecided" not in primary and not is_open


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Who is ended in good order, by a job's time limit for example, leaves a report too."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
