"""The command `loadtest demo`: three pools in a flash sale."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loadtest.cli.output import MeasuringOutputOptions, Quiet, Verbose, conduct_and_answer
from loadtest.cli.shared_options import DatabaseOptions, Results, ServerOption

if TYPE_CHECKING:
    from loadtest.model.experiment import Experiment


def demo(
    *,
    app: Annotated[
        bool,
        typer.Option(
            "--app", help="Through an example application behind HTTP, made with FastAPI."
        ),
    ] = False,
    server: ServerOption = "",
    database: DatabaseOptions,
    results: Results = Path("reports"),
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare three pools in a flash sale and report the best; takes about three minutes.

    Examples: [bold]loadtest demo[/]

    [bold]loadtest demo --app[/]
    """
    plan = _flash_sale(app=app).changed("--server", server=server)
    output = MeasuringOutputOptions(quiet=quiet, verbose=verbose)
    conduct_and_answer(plan, database, results, output)


def _flash_sale(*, app: bool) -> Experiment:
    """The experiment, with a scenario's own engine or through the example application."""
    if app:
        from loadtest.experiment.driving.example_application import example_experiment

        return example_experiment()
    from loadtest.experiment.bundled_scenarios import scenarios_folder
    from loadtest.model.experiment import read_experiment

    return read_experiment(scenarios_folder() / "hot_row.toml")
