"""The command `loadtest tune`: the smallest pool that is good enough."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loadtest.analysis.sizing.size_search import most_runs
from loadtest.cli.output import Output, conduct
from loadtest.cli.shared_options import (
    AllowOverload,
    ArrivalRate,
    Arrivals,
    AsJson,
    DatabaseUrl,
    Engine,
    Faults,
    KeepTables,
    Margin,
    Markdown,
    Model,
    NoAbort,
    Objective,
    Options,
    Prefill,
    Quiet,
    Results,
    Scenario,
    Seed,
    Server,
    Session,
    SpawnRate,
    Users,
    experiment_of,
    load_of,
)
from loadtest.model.allowances import Allowances
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.objective import parse_objective


def tune(
    scenario: Scenario,
    objective: Objective = "",
    users: Users = None,
    spawn_rate: SpawnRate = None,
    arrival_rate: ArrivalRate = None,
    arrivals: Arrivals = None,
    time: Annotated[
        str, typer.Option("--time", "-t", help="Measured time of each run, 4s at least.")
    ] = "10s",
    warmup: Annotated[str, typer.Option("--warmup", help="Time before that, not measured.")] = "2s",
    at_most: Annotated[
        int, typer.Option(min=1, help="The largest pool to try (with users: no more than they).")
    ] = 100,
    margin: Margin = None,
    prefill: Prefill = False,
    model: Model = None,
    session: Session = "",
    engine: Engine = "",
    seed: Seed = 1,
    option: Options = None,
    fault: Faults = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan only.")] = False,
    server: Server = "",
    database_url: DatabaseUrl = "",
    allow_overload: AllowOverload = False,
    no_abort: NoAbort = False,
    keep_tables: KeepTables = False,
    results: Results = Path("reports"),
    markdown: Markdown = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find the smallest pool that keeps to an objective and loses no throughput.

    Without an objective, of users: that loses no throughput. Exit code 3 if no size keeps to it,
    5 if the answer is not sure.

    Examples: [bold]loadtest tune scenarios/held_connection.py -u 20 -t 5s[/]

    [bold]loadtest tune scenarios/order_flow.py --arrival-rate 100
    --objective "checkout.wait_seconds.p95 <= 20ms" --dry-run[/]
    """
    from loadtest.experiment.search_runs import pools, search

    load = load_of(
        stages=None,
        users=users,
        spawn_rate=spawn_rate,
        arrival_rate=arrival_rate,
        arrivals=arrivals,
        time=time,
        warmup=warmup,
        prefill=prefill,
        model=model,
    )
    if len(load.models) > 1:
        raise UsageError(f"--model {model}: a search has one model; loadtest compare takes both")
    timed = any("seconds" in bound.path for bound in parse_objective(objective))
    if load.highest_rate is not None and not timed:
        raise UsageError(
            "--arrival-rate: every pool that keeps up does what arrives, so say how long one may "
            'wait: --objective "checkout.wait_seconds.p95 <= 20ms"'
        )
    if load.duration < 4:
        raise UsageError(f"--time {time}: the runs of a search need 4 s at least")
    said = {
        "rounds": 1,
        "session": session,
        "engine": engine,
        "objective": objective,
        "server": server,
    }
    plan = experiment_of(scenario, ["5+10"], load, seed, option, fault, margin=margin, **said)
    plan = plan.model_copy(update={"name": f"{plan.name}-tune", "pool": pools(plan, at_most)})
    if dry_run:
        from loadtest.experiment.rounds import check

        check(plan, database_url)
        _print_plan(plan)
        return
    output, most = Output(quiet, as_json, markdown), most_runs(plan.pool[1].pool_size)
    allowed = Allowances(allow_overload, no_abort, keep_tables)
    conduct(plan, database_url, results, output, allowed=allowed, runs=search, most=most)


def _print_plan(plan: Experiment) -> None:
    from loadtest.experiment.search_runs import longest_seconds, of_size
    from loadtest.experiment.single_run import Plan

    now, largest = plan.pool
    example = Plan(plan, of_size(1), 1, plan.load.models[0])
    typer.echo(f"first        {Plan(plan, now, 1, plan.load.models[0]).command()}")
    typer.echo(f"then, 1..{largest.pool_size:<3} {example.command()}")
    minutes, seconds = divmod(round(longest_seconds(plan)), 60)
    most = most_runs(largest.pool_size)
    typer.echo(
        f"the sizes follow from what is measured: {most} runs at most, {minutes} min {seconds} s"
    )
