"""An experiment from its first check to its last run, whoever may want it to end before."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from loadtest.analysis.summary import summarize
from loadtest.config import Experiment
from loadtest.errors import UsageError
from loadtest.experiment.rounds import check, database, plans, run_all
from loadtest.report.progress import RunProgress
from loadtest.report.render import read
from loadtest.results import new_folder


def conduct(
    experiment: Experiment, database_url: str, results: Path, console: Console, *, quiet: bool
) -> tuple[Path, bool]:
    """Do all runs; the folder with their results, and whether nobody ended them before.

    Raises UsageError, and KeyboardInterrupt if they were ended before there was any result; then
    no folder is left.
    """
    with _sigterm_as_ctrl_c():
        for warning in check(experiment, database_url):
            console.print(f"[yellow]{escape(warning)}[/]", soft_wrap=True)
        if not (database_url or experiment.application or quiet):
            console.print("[dim]No database given: starting a private MariaDB[/]")
        with database(database_url, experiment) as at:
            if at.warning:
                console.print(f"[yellow]{escape(at.warning)}[/]", soft_wrap=True)
            folder = new_folder(results, experiment.name, latest=False)
            try:
                with RunProgress(console, list(plans(experiment)), quiet=quiet) as progress:
                    complete = run_all(experiment, at, folder, progress, _decided)
                if not complete and not any(folder.glob("runs/*.jsonl")):
                    raise KeyboardInterrupt
            except (UsageError, KeyboardInterrupt):
                shutil.rmtree(folder)
                raise
    return folder, complete


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
