"""The `loadtest` command."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from loadtest import __version__, ready
from loadtest.allowances import Allowances
from loadtest.cli_capacity import capacity
from loadtest.cli_doctor import doctor
from loadtest.cli_options import (
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
    Scenario,
    Seed,
    Server,
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
from loadtest.cli_output import Output, conduct
from loadtest.cli_report import diff, report
from loadtest.cli_scenarios import scenarios
from loadtest.cli_tune import tune
from loadtest.cli_whatif import whatif
from loadtest.config import AS_IS, AUTO, Experiment, read_experiment
from loadtest.errors import LoadtestError, UsageError

OWN_POOL = "5+10"
# A full disk, or nobody who reads any more.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EPIPE)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"loadtest {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Which pool settings should this SQLAlchemy application use, and what if they are wrong?

    Example: [bold]loadtest demo[/]
    """


@app.command()
def demo(
    server: Server = "",
    database_url: DatabaseUrl = "",
    allow_overload: AllowOverload = False,
    no_abort: NoAbort = False,
    keep_tables: KeepTables = False,
    results: Results = Path("reports"),
    quiet: Quiet = False,
) -> None:
    """Compare three pools in a flash sale, about three minutes, and say which is best.

    Example: [bold]loadtest demo[/]
    """
    plan = read_experiment(ready.folder() / "hot_row.toml").changed("--server", server=server)
    allowed = Allowances(allow_overload, no_abort, keep_tables)
    conduct(plan, database_url, results, Output(quiet), allowed=allowed)


@app.command()
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


@app.command()
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


app.command()(report)
app.command()(diff)
app.command()(capacity)
app.command()(doctor)
app.command()(whatif)
app.command()(tune)
app.command()(scenarios)


def _print_plan(experiment: Experiment) -> None:
    from loadtest.experiment.rounds import expected_seconds, plans

    for plan in plans(experiment):
        typer.echo(f"round {plan.round}  {plan.pool.name:<12} {plan.command()}")
    minutes, seconds = divmod(round(expected_seconds(experiment)), 60)
    most = "at most " if experiment.rounds == AUTO else ""
    typer.echo(f"{most}{len(plans(experiment))} runs, about {minutes} min {seconds} s")


def main() -> None:
    """Run the command; a problem is one message on standard error and an exit code."""
    try:
        _answer()
    except LoadtestError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _answer() -> None:
    """Run the command. Raises LoadtestError, also where nothing can be written to its output."""
    try:
        try:
            app()
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries again
        raise LoadtestError(f"cannot write the answer: {error.strerror}") from None


if __name__ == "__main__":
    main()
