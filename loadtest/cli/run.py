"""The command `loadtest run`: one pool configuration under one load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    Stages,
    Users,
    Warmup,
    experiment_of,
    load_of,
)
from loadtest.model.allowances import Allowances
from loadtest.model.errors import UsageError
from loadtest.model.pool import AS_IS

OWN_POOL = "5+10"


def run(
    scenario: Scenario,
    pool: Annotated[
        str | None,
        typer.Option("--pool", help="20+0 or pool_size=20,… (default: 5+10, or your own as it is)"),
    ] = None,
    session: Session = "",
    engine: Engine = "",
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
    server: Server = "",
    database_url: DatabaseUrl = "",
    allow_overload: AllowOverload = False,
    no_abort: NoAbort = False,
    keep_tables: KeepTables = False,
    results: Results = Path("reports"),
    objective: Objective = "",
    markdown: Markdown = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure one pool configuration under one load.

    With --session or --engine it is the pool of your own application, as it is or with --pool.

    Examples: [bold]loadtest run scenarios/point_select.py --pool 20+0 -u 50 -t 10s[/]

    [bold]loadtest run scenarios/point_select.py --pool 20+0 -u 30 -t 10s --model threads[/]
    """
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
    if len(load.models) > 1:
        raise UsageError(f"--model {model}: a run has one model; loadtest compare takes both")
    pools = [pool or (AS_IS if session or engine else OWN_POOL)]
    said = {
        "rounds": 1,
        "session": session,
        "engine": engine,
        "objective": objective,
        "server": server,
    }
    experiment = experiment_of(scenario, pools, load, seed, option, fault, **said)
    allowed = Allowances(allow_overload, no_abort, keep_tables)
    output = Output(quiet, as_json, markdown)
    conduct(experiment, database_url, results, output, allowed=allowed)
