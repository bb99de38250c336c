"""Conducts an experiment from its first check to its last run, or until it is interrupted."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtest.analysis.comparison.objective_check import drops_arrivals
from loadtest.analysis.comparison.unused_pools import never_used_up
from loadtest.analysis.summarize import summarize
from loadtest.database.preflight.checks import machine_busy_check, warning_texts
from loadtest.database.preflight.other_programs import OtherPrograms
from loadtest.database.preflight.situation import Demand
from loadtest.experiment.databases import databases
from loadtest.experiment.driving.application_trial import try_visitors
from loadtest.experiment.driving.exposed_passwords import exposed_passwords
from loadtest.experiment.driving.servers.driven_databases import driven_databases
from loadtest.experiment.rounds import check_scenario, plans, run_all, runs_in_words
from loadtest.experiment.run_demand import demand_of
from loadtest.experiment.single_run import Databases
from loadtest.experiment.trial.task_trial import try_tasks
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.model.allowances import NO_ALLOWANCES, Allowances
from loadtest.model.errors import Ended, EndedForOthers, LoadtestError, UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.objective import parse_objective, unknown_requests
from loadtest.report.console import plain
from loadtest.report.progress import PlannedRun, RunProgress
from loadtest.report.render import read_measurements, write_whole
from loadtest.runfile.folders import new_folder, written_in

_WHY = "Nothing was measured: correct it and start again."

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
    verbose: bool = False,
    allowed: Allowances = NO_ALLOWANCES,
    tried: bool = True,
    runs: DoRuns = _all_rounds,
    most: int | None = None,
) -> tuple[Path, bool]:
    """Do all runs; returns the folder of the results, and whether the runs are complete.

    allowed: what the user allows on their own server. tried: whether each task is tried once first.
    runs: does the runs; by default all rounds of all pools. most: the maximum number of runs, if
    the number is not known in advance.
    Raises UsageError; KeyboardInterrupt if the runs ended before anything was measured (then no
    folder is left); Ended if a failure left something to report.
    """
    planned = list[PlannedRun](plans(experiment))
    how: dict[str, Any] = {"quiet": quiet, "allowed": allowed, "tried": tried}
    how["searching"] = most is not None
    with _opened(experiment, database_url, console, most or len(planned), **how) as (at, _):
        # On a server of others, the announcement has the number.
        if not quiet and len(planned) > 1 and all(one.private for one in at.values()):
            beside = max(one.driven.seconds for one in at.values())
            _tell(console, [runs_in_words(experiment, most, beside)], "dim")
        folder = new_folder(results, experiment.name, latest=False)
        shown = RunProgress(console, planned, quiet=quiet, verbose=verbose, most=most)
        with shown as progress:
            do = partial(runs, experiment, at, folder, progress)
            complete = _done(folder, console, do)
    return folder, complete


def add_to_plan(folder: Path, **more: Any) -> None:
    """Add facts to the experiment.json of a folder; raises LoadtestError if that fails."""
    path = folder / "experiment.json"
    with written_in(folder):
        planned = json.loads(path.read_text(encoding="utf-8"))
        write_whole(path, json.dumps({**planned, **more}, indent=1) + "\n")


def only_try(
    experiment: Experiment,
    database_url: str,
    console: Console,
    *,
    quiet: bool,
    allowed: Allowances = NO_ALLOWANCES,
) -> TrialAnswer:
    """Try each task once, after the checks of a run; measures nothing. Raises UsageError."""
    how: dict[str, Any] = {"quiet": quiet, "allowed": allowed, "tried": True}
    with _opened(experiment, database_url, console, 0, **how) as (_, answer):
        return answer


@contextmanager
def _opened(
    experiment: Experiment,
    database_url: str,
    console: Console,
    runs: int,
    *,
    quiet: bool,
    allowed: Allowances,
    tried: bool,
    searching: bool = False,
) -> Iterator[tuple[Databases, TrialAnswer]]:
    """The databases of an experiment, after the checks, the announcement and the trial.

    runs: the maximum number of runs. searching: whether they are those of a search. The answer is
    empty without a trial.
    """
    with _sigterm_as_ctrl_c():
        others = OtherPrograms()
        looked = check_scenario(experiment, database_url, connect=True, allowed=allowed)
        busy = warning_texts([machine_busy_check(others.shares())])
        warnings = [*looked.warnings, *busy, *exposed_passwords(experiment.application)]
        _tell(console, filter(None, [looked.ignored, *_marked(warnings)]), "yellow")

        def announce(lines: Iterable[str]) -> None:
            _tell(console, () if quiet else lines, "dim")

        own = experiment.application and not any(a.needs_database for a in experiment.application)
        if not (database_url or looked.place or own or quiet):
            console.print("[dim]No database given: starting a private server[/]")
        opened = (
            driven_databases(
                *(database_url, experiment, allowed, runs),
                tried=tried,
                searching=searching,
                announce=announce,
            )
            if experiment.application
            else databases(database_url, experiment, looked, allowed, runs, tried=tried)
        )
        with opened as at:
            several = len(experiment.application) > 1
            announce(dict.fromkeys(one.ready for one in at.values() if one.ready))
            for name, one in at.items():
                of = f"{name}: " if several else ""
                _tell(console, _marked(f"{of}{text}" for text in one.warnings), "yellow")
                announce(_headed(of, one.intentions))
            try:
                answer = TrialAnswer()
                if tried:
                    demand = demand_of(experiment, allowed, looked.pool)
                    answer = _tried(experiment, at, demand, measuring=runs > 0)
                    warnings = [*answer.warnings, *_unseen(experiment, answer)]
                    _tell(console, _marked(warnings), "yellow")
                yield at, answer
            finally:
                _tell(console, filter(None, [one.left() for one in at.values()]), "yellow")


def _tried(
    experiment: Experiment, at: Databases, demand: Demand, *, measuring: bool
) -> TrialAnswer:
    """The answer of the trial; a UsageError says that nothing was measured, if that was wanted."""
    try:
        attempt = try_visitors if experiment.application else try_tasks
        return attempt(experiment, at, demand)
    except UsageError as error:
        why = [_WHY] if measuring else []
        raise UsageError(*error.problems, *why) from None


def _unseen(experiment: Experiment, answer: TrialAnswer) -> list[str]:
    """The names of requests in the objective that the trial has not seen, each in a sentence."""
    if not answer.requests:
        return []
    unknown = unknown_requests(parse_objective(experiment.objective), answer.requests)
    return [
        f"The objective names a request that the trial did not send. {text}" for text in unknown
    ]


def _headed(heading: str, lines: Sequence[str]) -> list[str]:
    """Lines under a heading; none without lines."""
    return [*filter(None, [heading.rstrip()]), *lines] if lines else []


def _marked(warnings: Iterable[str]) -> list[str]:
    return [f"Warning: {text}" for text in warnings]


def _tell(console: Console, lines: Iterable[str], style: str) -> None:
    for line in lines:
        console.print(plain(line, console, style), soft_wrap=True)


def _done(folder: Path, console: Console, runs: Callable[[], bool]) -> bool:
    """Do runs into a folder, and remove the folder if there is nothing to report."""
    try:
        complete = runs()
    except KeyboardInterrupt:  # between two runs
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
    """Whether there is a measured interval to report."""
    return any(b'"period":"measured"' in path.read_bytes() for path in folder.glob("runs/*.jsonl"))


def is_decided(folder: Path) -> bool:
    """Whether no comparison with the baseline and no objective needs more rounds."""
    summary = summarize(read_measurements([folder]))
    primary = [one.decision for one in summary.comparisons if one.role == "primary"]
    if never_used_up([pool for pool in summary.pools if pool.valid]):
        primary = []  # more rounds would not decide
    # More rounds do not decide an objective without an interval, or with dropped arrivals.
    asked = [pool.objectives for pool in summary.pools if pool.valid and not drops_arrivals(pool)]
    is_open = any(one.met is None and one.ci95 for objectives in asked for one in objectives)
    return "undecided" not in primary and not is_open


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Treat SIGTERM, for example from a job's time limit, like Ctrl-C: a report is written."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
