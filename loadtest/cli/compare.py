"""The command `loadtest compare`: pool configurations in interleaved rounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from loadtest.cli.output import Output, conduct
from loadtest.cli.shared_options import (
    AllowOverload,
    ArrivalRate,
    Arrivals,
    AsJson,
    DatabaseUrl,
    Duration,
    Engine,
    Faults,
    KeepTables,
    Margin,
    Markdown,
    Model,
    NoAbort,
    Objective,
    Options,
    Pools,
    Prefill,
    Quiet,
    Results,
    Rounds,
    Seed,
    Servers,
    Session,
    SpawnRate,
    Stages,
    Users,
    Warmup,
    experiment_of,
    load_of,
    refuse_what_the_experiment_says,
)
from loadtest.model.allowances import Allowances
from loadtest.model.errors import UsageError
from loadtest.model.experiment import AUTO, Experiment, read_experiment


def compare(
    context: typer.Context,
    experiment: Annotated[Path, typer.Argument(help="An experiment (.toml) or a scenario (.py).")],
    pool: Pools = [],  # noqa: B006 - Typer reads the default and hands in a list of its own
    session: Session = "",
    engine: Engine = "",
    rounds: Rounds = "5",
    users: Users = None,
    spawn_rate: SpawnRate = None,
    arrival_rate: ArrivalRate = None,
    arrivals: Arrivals = None,
    stages: Stages = None,
    time: Duration = None,
    warmup: Warmup = "5s",
    prefill: Prefill = False,
    model: Model = None,
    seed: Seed = 1,
    option: Options = None,
    fault: Faults = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan only.")] = False,
    server: Servers = [],  # noqa: B006
    database_url: DatabaseUrl = "",
    allow_overload: AllowOverload = False,
    no_abort: NoAbort = False,
    keep_tables: KeepTables = False,
    results: Results = Path("reports"),
    objective: Objective = "",
    margin: Margin = None,
    markdown: Markdown = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare pool configurations in interleaved rounds and say which is best.

    A round in which the load generator was disturbed is done once more.

    Examples: [bold]loadtest compare scenarios/hot_row.toml --dry-run[/]

    [bold]loadtest compare scenarios/hot_row.py --pool 5+10 --pool 20+0 --rounds 5 -t 5s[/]

    [bold]loadtest compare scenarios/hot_row.toml --objective "errors.rate <= 1%"[/]

    [bold]loadtest compare scenarios/held_connection.toml --model greenlets,threads[/]

    [bold]loadtest compare scenarios/hot_row.toml --server mariadb --server mysql[/]
    """
    if experiment.suffix == ".toml":
        refuse_what_the_experiment_says(context, experiment)
        plan = read_experiment(experiment)
        plan = plan.with_model(model) if model else plan
        plan = plan.changed("--objective", objective=objective) if objective else plan
        plan = plan.changed("--server", server=server) if server else plan
    else:
        if len(pool) < 2:
            raise UsageError("a comparison needs two pools or more: --pool 5+10 --pool 20+0")
        load = load_of(
            users=users,
            spawn_rate=spawn_rate,
            arrival_rate=arrival_rate,
            arrivals=arrivals,
            stages=stages,
            time=time,
            warmup=warmup,
            prefill=prefill,
            model=model,
        )
        said: dict[str, Any] = {
            "rounds": rounds,
            "session": session,
            "engine": engine,
            "objective": objective,
            "margin": margin,
            "server": server,
        }
        plan = experiment_of(experiment, pool, load, seed, option, fault, **said)
    if dry_run:
        from loadtest.experiment.rounds import check

        check(plan, database_url)
        _print_plan(plan)
        return
    allowed = Allowances(allow_overload, no_abort, keep_tables)
    output = Output(quiet, as_json, markdown)
    conduct(plan, database_url, results, output, allowed=allowed)


def _print_plan(experiment: Experiment) -> None:
    from loadtest.experiment.rounds import expected_seconds, plans

    for plan in plans(experiment):
        typer.echo(f"round {plan.round}  {plan.pool.name:<12} {plan.command()}")
    minutes, seconds = divmod(round(expected_seconds(experiment)), 60)
    most = "at most " if experiment.rounds == AUTO else ""
    typer.echo(f"{most}{len(plans(experiment))} runs, about {minutes} min {seconds} s")
