"""The command `loadtest tune`: the smallest pool that meets the objective."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loadtest.cli.driven_options import DrivenOptions
from loadtest.cli.output import MeasuringOutputOptions, conduct_and_answer
from loadtest.cli.shared_options import (
    ApplicationOptions,
    DatabaseOptions,
    LoadOptions,
    Margin,
    Objective,
    Results,
    ScenarioArgument,
    ScenarioOptions,
    ServerOption,
    Warmup,
    experiment_of,
)
from loadtest.model.errors import UsageError

if TYPE_CHECKING:
    from loadtest.model.experiment import Experiment

LEAST_MEASURED_SECONDS = 4


@dataclass(eq=False, repr=False)
class SearchLoadOptions(LoadOptions):
    """The load of each run of a search; the runs are short, because a search has many."""

    time: Annotated[
        str, typer.Option("--time", "-t", help="Measured time of each run, at least 4s.")
    ] = "10s"
    warmup: Warmup = "2s"


def tune(
    scenario: ScenarioArgument,
    *,
    objective: Objective = "",
    load: SearchLoadOptions,
    at_most: Annotated[
        int,
        typer.Option(
            min=1,
            help="Largest pool to try; without --arrival-rate capped at what --users can hold.",
        ),
    ] = 100,
    margin: Margin = None,
    application: ApplicationOptions,
    driven: DrivenOptions,
    told: ScenarioOptions,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the plan.")] = False,
    server: ServerOption = "",
    database: DatabaseOptions,
    results: Results = Path("reports"),
    output: MeasuringOutputOptions,
) -> None:
    """Find the smallest pool that meets an objective and loses no throughput.

    The objective is optional without --arrival-rate. Exits with 3 if no size meets the objective,
    and with 5 if the answer is not certain.

    With --app and --ready, the size is that of each process of your application. With several
    numbers of processes (--app-processes 1,2,4), it searches with each of them, and recommends the
    number that needs the fewest connections in all.

    Examples: [bold]loadtest tune scenarios/held_connection.py -u 20 -t 5s[/]

    [bold]loadtest tune scenarios/order_flow.py --arrival-rate 100
    --objective "checkout.wait_seconds.p95 <= 20ms" --dry-run[/]

    [bold]loadtest tune visitors.py --app "gunicorn -w {app_processes} -b 127.0.0.1:8800 shop:app"
    --app-processes 1,2 --ready http://127.0.0.1:8800/health
    --objective 'request["GET /orders"].p95 <= 200ms'[/]
    """
    asked = {"rounds": 1, "objective": objective, "margin": margin, "server": server}
    asked |= driven.settings()
    driven.refuse_several("a search drives")
    plan = experiment_of(scenario, ["5+10"], application, load, told, **asked)
    _refuse_what_no_search_has(load, plan)

    from loadtest.experiment.search_runs import most_search_runs, search, searched_pools

    pools = searched_pools(plan, at_most, database.connections_per_user)
    plan = plan.model_copy(update={"name": f"{plan.name}-tune", "pool": pools})
    if dry_run:
        _print_plan(plan, database.database_url)
        return
    most = most_search_runs(plan)
    conduct_and_answer(plan, database, results, output, runs=search, most=most)


def _refuse_what_no_search_has(given: SearchLoadOptions, plan: Experiment) -> None:
    """Raise UsageError for a load that a search cannot use to compare pools."""
    from loadtest.model.objective import is_time, parse_objective

    if len(plan.load.models) > 1:
        raise UsageError(
            f"--model {given.model}: a search has one model; loadtest compare takes both"
        )
    timed = any(is_time(bound.path) for bound in parse_objective(plan.objective))
    if plan.load.highest_rate is not None and not timed:
        raise UsageError(
            "--arrival-rate: all pools that keep up have the same throughput, so give a limit for "
            'the wait: --objective "checkout.wait_seconds.p95 <= 20ms"'
        )
    if plan.load.duration < LEAST_MEASURED_SECONDS:
        raise UsageError(
            f"--time {given.time}: the runs of a search need at least {LEAST_MEASURED_SECONDS} s"
        )


def _print_plan(plan: Experiment, database_url: str) -> None:
    from loadtest.experiment.rounds import check_scenario
    from loadtest.experiment.run_plan import RunPlan
    from loadtest.experiment.search_runs import longest_seconds, most_search_runs
    from loadtest.model.pool import pool_of_size

    check_scenario(plan, database_url)
    now, largest = plan.pool
    numbers = plan.processes if len(plan.processes) > 1 else ()
    for one in [plan.with_processes(number) for number in numbers] or [plan]:
        example = RunPlan(one, pool_of_size(1), 1, plan.load.models[0])
        typer.echo(f"first        {RunPlan(one, now, 1, plan.load.models[0]).command()}")
        typer.echo(f"then, 1..{largest.pool_size:<3} {example.command()}")
    minutes, seconds = divmod(round(longest_seconds(plan)), 60)
    most = most_search_runs(plan)
    typer.echo(
        f"each size depends on the results so far: at most {most} runs, {minutes} min {seconds} s; "
        "disturbed runs are repeated and take longer"
    )
