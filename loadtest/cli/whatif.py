"""The command `loadtest whatif`: predicts other pool settings from a measured result."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console

from loadtest.cli.completion import complete_result
from loadtest.cli.named_applications import environment_variables
from loadtest.cli.output import Quiet
from loadtest.cli.recording_options import PartOptions, only_for_recordings
from loadtest.cli.shared_options import DatabaseOptions
from loadtest.model.errors import UsageError
from loadtest.runfile.folders import as_typed, find_runs, folder_of, holds_recording

if TYPE_CHECKING:
    from loadtest.analysis.pool_runs import Measurements
    from loadtest.analysis.prediction.validation import ValidatedPool
    from loadtest.analysis.prediction.whatif import Prediction

NARROW = 80  # columns in a file or a pipe; the tables fit
VALIDATION = "whatif-validation"
SIZES, OVERFLOWS = "5..100", "0,10"


class _Settings(NamedTuple):
    """The requested settings, as they were typed; None: by default.

    recorded: the name of the recorded pool. part: of a recording.
    """

    pools: Sequence[str]
    sizes: str | None
    overflows: str | None
    timeout: str | None
    recorded: str
    part: PartOptions

    def arguments(self) -> list[str]:
        """The options for the same settings."""
        given = {
            "--pool-size": self.sizes,
            "--max-overflow": self.overflows,
            "--pool-timeout": self.timeout,
            "--recorded": self.recorded,
            **{f"--{name}": value for name, value in vars(self.part).items()},
        }
        pools = [word for text in self.pools for word in ("--pool", text)]
        return pools + [word for option, text in given.items() if text for word in (option, text)]


def whatif(
    result: Annotated[
        Path,
        typer.Argument(
            help="A folder of results or of a recording, or a file of one.",
            autocompletion=complete_result,
        ),
    ],
    *,
    pool: Annotated[
        list[str],
        typer.Option("--pool", help="Pool: 20+0 or pool_size=20,pool_timeout=2. Repeat it."),
    ] = [],  # noqa: B006 - Typer passes a new list
    pool_size: Annotated[
        str | None,
        typer.Option(
            "--pool-size",
            help="Sizes: 5..100 (at most 20 of them), 5,10,20 or 5 (default: 5..100; for a "
            "recording half, as many and twice as many connections as its own pool has).",
        ),
    ] = None,
    max_overflow: Annotated[
        str | None,
        typer.Option(
            "--max-overflow", help="Values, like 0,10; inf means no limit (default: 0,10)."
        ),
    ] = None,
    pool_timeout: Annotated[
        str | None, typer.Option("--pool-timeout", help="Like 2s (default: the measured pool's).")
    ] = None,
    recorded: Annotated[
        str,
        typer.Option(
            "--recorded",
            help="The pool of a recording to predict from (default: the one with the most "
            "checkouts).",
        ),
    ] = "",
    part: PartOptions,
    validate: Annotated[
        bool,
        typer.Option("--validate", help="Measure three of them and repeat one, at most 10 s each."),
    ] = False,
    app_env: Annotated[
        list[str],
        typer.Option(
            "--app-env",
            help="With --validate: a variable of the application, NAME=VALUE, whose value the "
            "result hides. Repeat it.",
        ),
    ] = [],  # noqa: B006 - Typer passes a new list
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write to (default: the result's).")
    ] = None,
    database: DatabaseOptions,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print whatif.json instead of the table.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Predict other pool settings from a measured result or a recording, by simulation.

    Of a result that compares several applications, --application chooses one.

    Examples: [bold]loadtest whatif reports/example --pool-size 5..100[/]

    [bold]loadtest whatif reports/latest --pool-size 8,12,16 --max-overflow 0 --validate[/]

    [bold]loadtest whatif reports/shop-20251130-140300 --busiest 10m --pool 10+0 --pool 20+0[/]
    """
    if pool and (pool_size or max_overflow):
        raise UsageError("--pool has both sizes: leave out --pool-size and --max-overflow")
    if app_env and not validate:
        raise UsageError("--validate is missing: --app-env requires it")
    asked = _Settings(pool, pool_size, max_overflow, pool_timeout, recorded, part)
    folder = out or folder_of(result)
    if holds_recording([result]):
        if validate:
            raise UsageError(
                "--validate repeats a load test, and this is a recording: measure the application "
                "with loadtest compare"
            )
        _from_recording(result, asked, folder, as_json=as_json)
        return
    find_runs([result])  # a missing result is refused before the slow imports
    only_for_recordings(recorded=recorded, **{**vars(part), "application": ""})

    from loadtest.analysis.comparison.variants import of_application
    from loadtest.analysis.prediction.observed_workload import observe
    from loadtest.analysis.prediction.settings_grid import other_pools, settings_grid
    from loadtest.analysis.prediction.whatif import predict
    from loadtest.report.prediction import print_prediction
    from loadtest.report.prediction_page import write_prediction
    from loadtest.report.render import read_measurements

    measurements = of_application(read_measurements([result]), part.application)
    at = _database(measurements, result, database.database_url) if validate else ""
    observed = observe(measurements)
    prediction = predict(
        observed,
        other_pools(observed.settings, pool, pool_timeout)
        or settings_grid(observed, pool_size or SIZES, max_overflow or OVERFLOWS, pool_timeout),
    )
    about = _about(measurements.name or "Connection pool", result, asked)
    write_prediction(prediction, about, folder)
    console = _console()
    if not as_json:
        print_prediction(prediction, console)
    results = []
    if validate:
        how = {"quiet": quiet, "allowed": database.allowed, "tried": not database.no_try}
        variables = environment_variables(app_env)
        results = _validate(prediction, measurements, result, folder, at, variables, **how)
        write_prediction(prediction, about, folder, results)
    if as_json:
        _print_json(folder)
        return
    _tell(results, folder, console)


def _from_recording(result: Path, asked: _Settings, folder: Path, *, as_json: bool) -> None:
    from loadtest.analysis.prediction.recorded_arrivals import recorded_arrivals
    from loadtest.analysis.prediction.replay_notes import replay_notes
    from loadtest.analysis.prediction.replayed_pools import replay_pools
    from loadtest.analysis.prediction.settings_grid import grid_around, other_pools
    from loadtest.analysis.recordings.part_of_recording import read_reported_time
    from loadtest.analysis.units import listed
    from loadtest.report.replay_table import print_replay, write_replay

    recording = read_reported_time([result], asked.part.time, asked.part.application)
    pool = recording.pool(asked.recorded)
    recorded = recorded_arrivals(pool)
    grid = other_pools(recorded.settings, asked.pools, asked.timeout) or grid_around(
        recorded, asked.sizes, asked.overflows, asked.timeout
    )
    predicted = replay_pools(recorded, grid)
    notes = [*replay_notes(pool, recorded, predicted), *recording.problems]
    if len(recording.pools) > 1:
        others = listed([one.name for one in recording.pools if one is not pool])
        notes.insert(0, f"The prediction is of the pool {pool.name}; --recorded takes {others}.")
    about = _about(recording.application, result, asked)
    write_replay(recorded, predicted, notes, about, folder)
    if as_json:
        _print_json(folder)
        return
    console = _console()
    print_replay(recorded, predicted, notes, console)
    _tell([], folder, console)


def _about(name: str, result: Path, asked: _Settings) -> dict[str, Any]:
    """The origin of a prediction."""
    command = ["loadtest", "whatif", as_typed(result), *asked.arguments()]
    return {"name": name, "result": as_typed(result), "command": shlex.join(command)}


def _print_json(folder: Path) -> None:
    typer.echo((folder / "whatif.json").read_text(encoding="utf-8"), nl=False)


def _tell(results: Sequence[ValidatedPool], folder: Path, console: Console) -> None:
    from loadtest.report.prediction import print_validation

    if results:
        console.print("\nThroughput and wait, predicted and then measured")
        print_validation(results, console)
    console.print(f"Page: {folder / 'whatif.html'}", soft_wrap=True, highlight=False, markup=False)


def _validate(
    prediction: Prediction,
    measurements: Measurements,
    result: Path,
    folder: Path,
    at: str,
    variables: Mapping[str, str],
    **how: Any,
) -> list[ValidatedPool]:
    """Measure some of the settings under the conditions of the result.

    variables: of an application, whose values the result hides. how: further arguments of
    `experiment.conduct`.
    """
    from loadtest.analysis.prediction.validation import control_pool, pools_to_measure, validate
    from loadtest.experiment.conduct import conduct
    from loadtest.experiment.validation_plan import experiment_again
    from loadtest.report.render import planned_experiment, read_measurements

    pools = list(dict.fromkeys([*control_pool(prediction), *pools_to_measure(prediction)]))
    plan = planned_experiment(result)
    again = experiment_again(plan, measurements.runs[0], pools, variables)
    console = Console(stderr=True)
    runs, _ = conduct(again, at, folder / VALIDATION, console, **how)
    return validate(prediction.observed, again.load, again.pool, read_measurements([runs]))


def _database(measurements: Measurements, result: Path, given: str) -> str:
    """The URL of the result's database; empty if it was private or the application's own."""
    from loadtest.report.render import planned_experiment

    header, plan = measurements.runs[0].header, planned_experiment(result)
    if header.server.private:
        return ""
    own = header.application and not (plan and any(one.needs_database for one in plan.driven))
    if not (given or own):
        raise UsageError("the result is from your own database: give it with --database-url")
    return given


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = NARROW
    return console
