"""Rounds: every pool runs once per round, in rotating order, so that drift affects all pools."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple, Protocol

from loadtest.database import supervisor
from loadtest.database.application import environment_with
from loadtest.experiment import deadlines
from loadtest.experiment.disturbed_runs import Repeats
from loadtest.experiment.driving.exposed_passwords import shown_application
from loadtest.experiment.run_plan import EXPERIMENT, SECONDS_BESIDE_LOAD, RunPlan
from loadtest.experiment.single_run import Database, Databases, Watch, run_once
from loadtest.model.allowances import NO_ALLOWANCES, Allowances
from loadtest.model.errors import CannotGoOn, LoadtestError, Overdue, UsageError
from loadtest.model.experiment import AUTO, Experiment, Subject
from loadtest.model.interval import Interval
from loadtest.model.json_types import json_types
from loadtest.model.pool import PoolConfig
from loadtest.runfile.folders import as_typed, point_latest_at, written_in


class Progress(Protocol):
    """Receives the progress of the runs."""

    def begin(self, plan: RunPlan) -> None:
        """A run begins."""

    def interval(self, interval: Interval) -> None:
        """The current run measured an interval."""

    def end(self, plan: RunPlan) -> None:
        """The run has ended."""

    def failed(self, plan: RunPlan, error: LoadtestError) -> None:
        """The run failed."""

    def tell(self, text: str) -> None:
        """A further note about a run."""

    def disturbed(self, text: str) -> None:
        """The run was disturbed, and is repeated as soon as the machine is quiet; text: why."""


def plans(experiment: Experiment, after: int = 0, until: int | None = None) -> list[RunPlan]:
    """The runs of an experiment, or of some of its rounds, in their order.

    after, until: only the rounds after the first number, up to and including the second.
    """
    of = experiment.by_application
    return [
        RunPlan(of[subject.application], subject.pool, round_, subject.model, subject.server)
        for round_ in range(after + 1, (until or experiment.interim_rounds[-1]) + 1)
        for subject in _turned(experiment.subjects, round_ - 1)
    ]


def _turned(subjects: Sequence[Subject], by: int) -> Sequence[Subject]:
    start = -by % len(subjects)
    return [*subjects[start:], *subjects[:start]]


def expected_seconds(experiment: Experiment, beside: float = 0.0) -> float:
    """The approximate duration of an experiment (s); beside: of each run, for its application."""
    return sum(plan.seconds + SECONDS_BESIDE_LOAD + beside for plan in plans(experiment))


def runs_in_words(experiment: Experiment, most: int | None = None, beside: float = 0.0) -> str:
    """The number of runs and their approximate duration, like `15 runs, about 2 min 55 s`.

    most: the maximum number of runs, if the number is not known in advance. beside: as for
    `expected_seconds`.
    """
    planned = len(plans(experiment))
    runs = most or planned
    minutes, seconds = divmod(round(expected_seconds(experiment, beside) * runs / planned), 60)
    bound = "at most " if most or experiment.rounds == AUTO else ""
    return f"{bound}{runs} runs, about {minutes} min {seconds} s"


class ScenarioFacts(NamedTuple):
    """The warnings about an experiment, the scenario's tables, and the application's database.

    place: that database; empty without an application, or if the application needs a URL first.
    pool: the settings of the application's pool; empty like the place. ignored: the line that names
    Locust's settings without effect on the runs; empty without any. in_use: the connections in use
    on the application's server, in words; empty if they are not known.
    """

    warnings: list[str]
    tables: list[str]
    place: str
    pool: Mapping[str, Any] = MappingProxyType({})
    in_use: str = ""
    ignored: str = ""


def check_scenario(
    experiment: Experiment,
    database_url: str = "",
    *,
    connect: bool = False,
    private: bool = False,
    allowed: Allowances = NO_ALLOWANCES,
) -> ScenarioFacts:
    """Check a scenario and an application before they run.

    database_url: the value of LOADTEST_DATABASE_URL for the application. connect: whether to
    connect to the application's database. private: whether the URL is a private server's. allowed:
    what the user allows on the application's server.
    Raises UsageError if the import of scenario or application fails or takes too long, if the
    options do not fit, or if the application's server has no room for the runs.
    """
    scenario = as_typed(experiment.scenario)
    asked = [name for name, on in {"connect": connect, "private": private}.items() if on]
    asked.append(json.dumps(asdict(allowed)))
    command = deadlines.watched_command("loadtest.experiment.scenario_check", *asked)
    first = next(iter(experiment.by_application.values()))  # the users are the same for all
    given = {EXPERIMENT: json.dumps(json_types(first.model_dump, exclude_unset=True))}

    def late(place: str) -> UsageError:
        limit = deadlines.LOOK_SECONDS
        return UsageError(
            f"{scenario}: the import and its checks did not end within {limit:g} s: {place}"
        )

    environment = environment_with(database_url) | given
    ended = f"{scenario} ends the process during the import."
    problems, *looked = child_answer(command, environment, deadlines.LOOK_SECONDS, late, ended)
    if problems:
        raise UsageError(*problems)
    return ScenarioFacts(*looked)


def child_answer(
    command: list[str],
    environment: dict[str, str],
    seconds: float,
    late: Callable[[str], LoadtestError],
    ended: str,
) -> Any:
    """The answer of a child process: the last line of its output, in JSON.

    late: makes the error to raise after these seconds, from a sentence about where the child is.
    ended: the sentence of the UsageError if the child ends without an answer.
    """
    answer, said = _ask(command, environment, seconds, late)
    try:
        return json.loads(answer.splitlines()[-1])
    except (IndexError, ValueError):
        raise UsageError(f"{ended} {said.strip()[-1000:]}".strip()) from None


def _ask(
    command: list[str],
    environment: dict[str, str],
    seconds: float,
    late: Callable[[str], LoadtestError],
) -> tuple[str, str]:
    """The standard output and the standard error of a child process."""
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as said:
        kept = supervisor.start_supervised(
            command, environment=environment, output=answer, errors=said
        )
        try:
            kept.wait(seconds)
        except subprocess.TimeoutExpired:
            raise late(deadlines.stacks_of(kept, said)) from None
        finally:
            supervisor.stop_supervised(kept)
        return _text(answer), _text(said)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def run_all(
    experiment: Experiment,
    at: Databases,
    folder: Path,
    progress: Progress,
    enough: Callable[[Path], bool] = lambda _: False,
) -> bool:
    """Do all runs of an experiment; False if it was interrupted.

    A run that measures nothing, or that misses its deadline, is reported to `progress`, and the
    next one begins. A disturbed run is repeated. Raises LoadtestError if the first run fails,
    because the others would fail too; CannotGoOn at any time.
    enough: asked after each interim analysis whether the rounds in the folder suffice.
    """
    pools = [subject.pool for subject in experiment.subjects]
    write_down(experiment, pools, folder)
    first, done = plans(experiment)[0], 0
    repeats = Repeats(progress.tell, progress.disturbed)
    for look in experiment.interim_rounds:
        for plan in plans(experiment, done, look):
            progress.begin(plan)
            once = partial(run_in, folder, plan, at[plan.database], progress.interval)
            try:
                if repeats.run(plan, folder, once):
                    write_down(experiment, pools, folder, disturbed=repeats.done)
            except Overdue as error:
                progress.failed(plan, error)
            except LoadtestError as error:
                if plan == first or isinstance(error, CannotGoOn):
                    raise
                progress.failed(plan, error)
            except KeyboardInterrupt:
                return False
            else:
                progress.end(plan)
        done = look
        if look != experiment.interim_rounds[-1] and enough(folder):
            break
    return True


def write_down(
    experiment: Experiment, pools: Sequence[PoolConfig], folder: Path, **more: Any
) -> None:
    """Write experiment.json, which describes the runs in a folder."""
    planned = json_types(experiment.model_dump) | {"scenario": as_typed(experiment.scenario)}
    # In results, `application` is the name of an application.
    if driven := planned.pop("application"):
        planned["driven"] = list(map(shown_application, driven, experiment.application))
    planned["pool"] = [pool.model_dump(mode="json") for pool in pools]
    with written_in(folder):
        text = json.dumps({**planned, **more}, indent=1) + "\n"
        (folder / "experiment.json").write_text(text)


def run_in(folder: Path, plan: RunPlan, at: Database, watch: Watch) -> None:
    """Do one run; `latest` points at the folder as soon as it has a result file.

    Raises LoadtestError if the run fails, CannotGoOn if all further runs would fail too.
    """
    with written_in(folder):
        try:
            with _needed(at):
                run_once(plan, at, folder, watch)
        finally:
            if plan.file_in(folder).exists():
                point_latest_at(folder)


@contextmanager
def _needed(at: Database) -> Iterator[None]:
    """Raise CannotGoOn if the private server has stopped by the end of this context."""
    failure: LoadtestError | None = None
    try:
        yield
    except LoadtestError as error:
        failure = error
    if not at.running():
        why = at.last_error() or "the system or another program ended it"
        raise CannotGoOn(f"the private server is gone: {why}")
    if failure:
        raise failure
