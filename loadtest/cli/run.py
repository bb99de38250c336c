"""The command `loadtest run`: one pool configuration under one load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loadtest.cli.completion import complete_pool
from loadtest.cli.driven_options import DrivenOptions, refuse_several_processes
from loadtest.cli.output import MeasuringOutputOptions, conduct_and_answer, try_and_answer
from loadtest.cli.shared_options import (
    ApplicationOptions,
    DatabaseOptions,
    Objective,
    Results,
    ScenarioArgument,
    ScenarioOptions,
    ServerOption,
    StagedLoadOptions,
    experiment_of,
)
from loadtest.model.errors import UsageError


def run(
    scenario: ScenarioArgument,
    *,
    pool: Annotated[
        list[str],
        typer.Option(
            "--pool",
            autocompletion=complete_pool,
            help="20+0 or pool_size=20,… (default: 5+10 or your application's)",
        ),
    ] = [],  # noqa: B006 - Typer passes a new list
    application: ApplicationOptions,
    driven: DrivenOptions,
    load: StagedLoadOptions,
    told: ScenarioOptions,
    server: ServerOption = "",
    database: DatabaseOptions,
    results: Results = Path("reports"),
    objective: Objective = "",
    only_try: Annotated[
        bool, typer.Option("--try", help="Only try each task once; measure nothing.")
    ] = False,
    output: MeasuringOutputOptions,
) -> None:
    """Measure one pool configuration under one load.

    With --session or --engine, it measures the pool of your application. --pool changes the
    settings that it names; all others stay as they are there. Each task is
    tried once before the load; mistakes in the scenario end the command with exit code 2.

    With --app and --ready, any Locust users send requests to your application, which is started
    with this pool and recorded. Its output is beside the run's file.

    Examples: [bold]loadtest run scenarios/point_select.py --pool 20+0 -u 50 -t 10s[/]

    [bold]loadtest run scenarios/point_select.py --pool 20+0 -u 30 -t 10s --model threads[/]

    [bold]loadtest run scenarios/order_flow.py --try[/]

    [bold]loadtest run visitors.py --app "uvicorn shop.web:app --port 8800" --ready http://127.0.0.1:8800/health[/]
    """
    if len(pool) > 1:
        raise UsageError(
            f"--pool is given {len(pool)} times: a run has one pool; loadtest compare takes several"
        )
    driven.refuse_several("a run drives")
    if only_try and database.no_try:
        raise UsageError("--try and --no-try: give only one of them")
    more = {"rounds": 1, "objective": objective, "server": server, **driven.settings()}
    experiment = experiment_of(scenario, pool, application, load, told, **more)
    if len(experiment.load.models) > 1:
        raise UsageError(f"--model {load.model}: a run has one model; loadtest compare takes both")
    refuse_several_processes(experiment, "a run")
    if only_try:
        try_and_answer(experiment, database, quiet=output.quiet)
    else:
        conduct_and_answer(experiment, database, results, output)
