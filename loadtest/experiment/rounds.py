"""Many runs: every pool once a round, each round in another order, so that drift hits all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from loadtest.config import Experiment, PoolConfig, Subject
from loadtest.database import preflight
from loadtest.database.engine import database_url
from loadtest.database.private import PrivateServer
from loadtest.errors import CannotGoOn, LoadtestError, UsageError
from loadtest.experiment.faults import Faults
from loadtest.experiment.run import Database, Plan, Watch, run
from loadtest.interval import Interval
from loadtest.results import as_typed, point_latest_at, written_in

# What a run needs besides its load: starting Locust, preparing tables, draining.
SECONDS_BESIDE_LOAD = 2.5


class Progress(Protocol):
    """Who is told how far the runs are."""

    def begin(self, plan: Plan) -> None:
        """A run begins."""

    def interval(self, interval: Interval) -> None:
        """The current run measured this."""

    def end(self, plan: Plan) -> None:
        """The run is over."""

    def failed(self, plan: Plan, error: LoadtestError) -> None:
        """The run failed."""


def plans(experiment: Experiment, after: int = 0, until: int | None = None) -> list[Plan]:
    """The runs of an experiment in the order in which they are done; all, or those of some rounds.

    after, until: the rounds between which these are, the last one included.
    """
    return [
        Plan(experiment, pool, round_, model)
        for round_ in range(after + 1, (until or experiment.looks[-1]) + 1)
        for pool, model in _turned(experiment.subjects, round_ - 1)
    ]


def _turned(subjects: Sequence[Subject], by: int) -> Sequence[Subject]:
    start = -by % len(subjects)
    return [*subjects[start:], *subjects[:start]]


def expected_seconds(experiment: Experiment) -> float:
    """About how long an experiment takes."""
    return sum(plan.seconds + SECONDS_BESIDE_LOAD for plan in plans(experiment))


def check(experiment: Experiment, database_url: str = "") -> list[str]:
    """What to know of an experiment before it runs, if there is anything.

    Raises UsageError if its scenario or application cannot be imported, or its options do not fit.
    """
    if experiment.application and database_url:
        raise UsageError(
            f"{experiment.application} has a database of its own: leave out --database-url, and "
            "take LOADTEST_DATABASE_URL out of the environment"
        )
    asked = subprocess.run(
        [sys.executable, "-m", "loadtest.experiment.check"],
        input=experiment.model_dump_json(exclude_unset=True),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        problems, warnings = json.loads(asked.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        scenario, said = as_typed(experiment.scenario), asked.stderr.strip()[-1000:]
        raise UsageError(f"{scenario} ends the process that imports it. {said}".strip()) from None
    if problems:
        raise UsageError(*problems)
    return list(warnings)


@contextmanager
def database(given: str, experiment: Experiment) -> Iterator[Database]:
    """The database of an experiment: the one given, else a private one for as long as this lasts.

    An application brings its own, of which only Locust's process knows.
    Raises UsageError if it cannot be used or the file limit is too low for what is to run.
    """
    users = experiment.load.users
    most = max(pool.connections_for(users) for pool in experiment.pool)
    preflight.check_open_files(most)
    if experiment.application and experiment.fault:
        raise UsageError(
            f"fault {experiment.fault[0]}: an application connects by itself, past what breaks here"
        )
    if experiment.application:
        yield Database(None, False)
        return
    if given:
        url = database_url(given)
        with closing(Faults(experiment.fault, url, None)) as faults:
            warning = preflight.too_many(preflight.look(url), most)
            yield Database(faults.url, False, faults, warning)
        return
    with (
        PrivateServer(most) as server,
        closing(Faults(experiment.fault, server.url, server)) as faults,
    ):
        yield Database(faults.url, True, faults, running=lambda: server.running)


def run_all(
    experiment: Experiment,
    at: Database,
    folder: Path,
    progress: Progress,
    enough: Callable[[Path], bool] = lambda _: False,
) -> bool:
    """Do all runs of an experiment; False if somebody interrupted it.

    A run that measures nothing is reported to `progress`, and the others go on. Raises
    LoadtestError if the first one fails: then the others would too; CannotGoOn at any time.
    enough: asked of the folder after each look of the experiment, whether that is all.
    """
    write_down(experiment, [pool for pool, _ in experiment.subjects], folder)
    first, done = plans(experiment)[0], 0
    for look in experiment.looks:
        for plan in plans(experiment, done, look):
            progress.begin(plan)
            try:
                run_in(folder, plan, at, progress.interval)
            except LoadtestError as error:
                if plan == first or isinstance(error, CannotGoOn):
                    raise
                progress.failed(plan, error)
            except KeyboardInterrupt:
                return False
            else:
                progress.end(plan)
        done = look
        if look != experiment.looks[-1] and enough(folder):
            break
    return True


def write_down(
    experiment: Experiment, pools: Sequence[PoolConfig], folder: Path, **more: Any
) -> None:
    """Write experiment.json, by which the runs in a folder are read."""
    planned = experiment.model_dump(mode="json") | {"scenario": as_typed(experiment.scenario)}
    planned["pool"] = [pool.model_dump(mode="json") for pool in pools]
    with written_in(folder):
        text = json.dumps({**planned, **more}, indent=1) + "\n"
        (folder / "experiment.json").write_text(text)


def run_in(folder: Path, plan: Plan, at: Database, watch: Watch) -> None:
    """Do one run; `latest` points at the folder as soon as there is something in it.

    Raises LoadtestError if it fails, CannotGoOn if the others would too.
    """
    try:
        with written_in(folder), _needed(at):
            run(plan, at, folder, watch)
    finally:
        if plan.file_in(folder).exists():
            point_latest_at(folder)


@contextmanager
def _needed(at: Database) -> Iterator[None]:
    """What is done here needs the private server: CannotGoOn if that is gone afterwards."""
    failure: LoadtestError | None = None
    try:
        yield
    except LoadtestError as error:
        failure = error
    if not at.running():
        raise CannotGoOn("the private MariaDB is gone: somebody or the system has ended it")
    if failure:
        raise failure
