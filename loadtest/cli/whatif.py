"""The command `loadtest whatif`: predicts other pool settings from a measured result."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from loadtest.cli.shared_options import DatabaseOptions, Quiet
from loadtest.model.errors import UsageError
from loadtest.runfile.folders import as_typed, find_runs, folder_of

if TYPE_CHECKING:
    from loadtest.analysis.pool_runs import Measurements
    from loadtest.analysis.prediction.validation import ValidatedPool
    from loadtest.analysis.prediction.whatif import Prediction

NARROW = 80  # columns in a file or a pipe; the tables fit
VALIDATION = "whatif-validation"


def whatif(
    result: Annotated[Path, typer.Argument(help="A folder of results, or a run file.")],
    *,
    pool_size: Annotated[
        str, typer.Option("--pool-size", help="Sizes: 5..100 (at most 20 of them), 5,10,20 or 5.")
    ] = "5..100",
    max_overflow: Annotated[
        str, typer.Option("--max-overflow", help="Values, like 0,10; inf means no limit.")
    ] = "0,10",
    pool_timeout: Annotated[
        str | None, typer.Option("--pool-timeout", help="Like 2s (default: the measured pool's).")
    ] = None,
    validate: Annotated[
        bool,
        typer.Option("--validate", help="Measure three of them and repeat one, at most 10 s each."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write to (default: the result's).")
    ] = None,
    database: DatabaseOptions,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print whatif.json instead of the table.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Predict other pool settings from a measured result, by simulation.

    Examples: [bold]loadtest whatif reports/example --pool-size 5..100[/]

    [bold]loadtest whatif reports/latest --pool-size 8,12,16 --max-overflow 0 --validate[/]
    """
    find_runs([result])  # a missing result is refused before the slow imports

    from loadtest.analysis.prediction.observed_workload import observe
    from loadtest.analysis.prediction.settings_grid import settings_grid
    from loadtest.analysis.prediction.whatif import predict
    from loadtest.report.prediction import print_prediction
    from loadtest.report.prediction_page import write_prediction
    from loadtest.report.render import read_measurements

    measurements = read_measurements([result])
    at = _database(measurements, database.database_url) if validate else ""
    observed = observe(measurements)
    prediction = predict(observed, settings_grid(observed, pool_size, max_overflow, pool_timeout))
    folder = out or folder_of(result)
    asked = ["whatif", as_typed(result), "--pool-size", pool_size, "--max-overflow", max_overflow]
    asked += ["--pool-timeout", pool_timeout] if pool_timeout else []
    about: dict[str, Any] = {
        "name": measurements.name or "Connection pool",
        "result": as_typed(result),
        "command": shlex.join(["loadtest", *asked]),
    }
    write_prediction(prediction, about, folder)
    console = _console()
    if not as_json:
        print_prediction(prediction, console)
    results = []
    if validate:
        how = {"quiet": quiet, "allowed": database.allowed, "tried": not database.no_try}
        results = _validate(prediction, measurements, result, folder, at, **how)
        write_prediction(prediction, about, folder, results)
    if as_json:
        typer.echo((folder / "whatif.json").read_text(encoding="utf-8"), nl=False)
        return
    _tell(results, folder, console)


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
    **how: Any,
) -> list[ValidatedPool]:
    """Measure some of the settings under the conditions of the result.

    how: further arguments of `experiment.conduct`.
    """
    from loadtest.analysis.prediction.validation import control_pool, pools_to_measure, validate
    from loadtest.experiment.conduct import conduct
    from loadtest.experiment.validation_plan import experiment_again
    from loadtest.report.render import planned_experiment, read_measurements

    pools = list(dict.fromkeys([*control_pool(prediction), *pools_to_measure(prediction)]))
    again = experiment_again(planned_experiment(result), measurements.runs[0], pools)
    console = Console(stderr=True)
    runs, _ = conduct(again, at, folder / VALIDATION, console, **how)
    return validate(prediction.observed, again.load, again.pool, read_measurements([runs]))


def _database(measurements: Measurements, given: str) -> str:
    """The URL of the result's database; empty if it was private or the application's own."""
    header = measurements.runs[0].header
    if header.server.private:
        return ""
    if not (given or header.application):
        raise UsageError("the result is from your own database: give it with --database-url")
    return given


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = NARROW
    return console
