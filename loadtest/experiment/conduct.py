"""An experiment from its first check to its last run, whoever may want it to end before."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from loadtest.analysis.summary import summarize
from loadtest.config import Experiment
from loadtest.errors import Ended, LoadtestError, UsageError
from loadtest.experiment.rounds import check, database, plans, run_all
from loadtest.experiment.run import Database
from loadtest.report.progress import AnyPlan, RunProgress
from loadtest.report.render import read
from loadtest.results import new_folder

Runs = Callable[[Experiment, Database, Path, RunProgress], bool]


def _all_rounds(experiment: Experiment, at: Database, folder: Path, progress: RunProgress) -> bool:
    return run_all(experiment, at, folder, progress, _decided)


def conduct(
    experiment: Experiment,
    database_url: str,
    results: Path,
    console: Console,
    *,
    quiet: bool,
    runs: Runs = _all_rounds,
    most: int | None = None,
) -> tuple[Path, bool]:
    """Do all runs; the folder with their results, and whether nobody ended them before.

    runs: does them, by default all rounds of all pools. most: how many there may be, where
    nobody knows how many there will.
    Raises UsageError, and KeyboardInterrupt if they were ended before anything was measured; then
    no folder is left. Raises Ended where a failure left something to report.
    """
    with _sigterm_as_ctrl_c():
        for warning in check(experiment, database_url):
            console.print(f"[yellow]{escape(warning)}[/]", soft_wrap=True)
        if not (database_url or experiment.application or quiet):
            console.print("[dim]No database given: starting a private MariaDB[/]")
        with database(database_url, experiment) as at:
            if at.warning:
                console.print(f"[yellow]{escape(at.warning)}[/]", soft_wrap=True)
            planned: list[AnyPlan] = list(plans(experiment))
            folder = new_folder(results, experiment.name, latest=False)
            with RunProgress(console, planned, quiet=quiet, most=most) as progress:
                complete = _done(folder, lambda: runs(experiment, at, folder, progress))
    return folder, complete


def _done(folder: Path, runs: Callable[[], bool]) -> bool:
    """Do runs into a folder, which goes again if there is nothing in it to report."""
    try:
        complete = runs()
    except KeyboardInterrupt:  # between two of them
        complete = False
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


def _decided(folder: Path) -> bool:
    """Whether what there is tells every pool from the baseline, or that it is as good."""
    compared = summarize(read([folder])).comparisons
    return all(c.decision != "undecided" for c in compared if c.role == "primary")


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
