"""The command `loadtest compare`: pool configurations in interleaved rounds."""

from __future__ import annotations

from os.path import exists  # False for a name that no file can have
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loadtest.cli.completion import complete_scenario
from loadtest.cli.driven_options import DrivenOptions, refuse_several_processes
from loadtest.cli.option_mistakes import bundled_instead, naming_options
from loadtest.cli.output import MeasuringOutputOptions, conduct_and_answer
from loadtest.cli.shared_options import (
    ApplicationOptions,
    DatabaseOptions,
    Margin,
    Objective,
    Pools,
    Results,
    ScenarioOptions,
    Servers,
    StagedLoadOptions,
    experiment_of,
    refuse_what_the_experiment_says,
)
from loadtest.model.errors import UsageError

if TYPE_CHECKING:
    from loadtest.model.experiment import Experiment


def compare(
    context: typer.Context,
    experiment: Annotated[
        Path,
        typer.Argument(
            help="An experiment (.toml) or a scenario (.py); for --app, any locustfile.",
            autocompletion=complete_scenario,
        ),
    ],
    *,
    pool: Pools = [],  # noqa: B006 - Typer passes a new list
    rounds: Annotated[
        str,
        typer.Option(help="Rounds per pool; auto: until the result is decided, at most 20."),
    ] = "5",
    application: ApplicationOptions,
    driven: DrivenOptions,
    load: StagedLoadOptions,
    told: ScenarioOptions,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the plan.")] = False,
    server: Servers = [],  # noqa: B006
    database: DatabaseOptions,
    results: Results = Path("reports"),
    objective: Objective = "",
    margin: Margin = None,
    output: MeasuringOutputOptions,
) -> None:
    """Compare pool configurations in interleaved rounds and report which is best.

    If other programs disturb the load generator in a round, the round is repeated.

    With --app and --ready, any Locust users send requests to your application, which is started
    for each run with the pool of this run, recorded and stopped.

    Examples: [bold]loadtest compare scenarios/hot_row.toml --dry-run[/]

    [bold]loadtest compare scenarios/hot_row.py --pool 5+10 --pool 20+0 --rounds 5 -t 5s[/]

    [bold]loadtest compare scenarios/hot_row.toml --objective "errors.rate <= 1%"[/]

    [bold]loadtest compare scenarios/held_connection.toml --model greenlets,threads[/]

    [bold]loadtest compare scenarios/hot_row.toml --server mariadb --server mysql[/]

    [bold]loadtest compare visitors.py --pool 5+10 --pool 20+0 --app "uvicorn shop.web:app" --ready http://127.0.0.1:8000/health[/]

    [bold]loadtest compare visitors.py --pool 5+10 --pool 20+0 --app "loop:uvicorn shop.aweb:app"
    --app "threads:gunicorn --threads 16 shop.web:app" --ready http://127.0.0.1:8000/health[/]
    """
    if experiment.suffix == ".toml":
        plan = _read(experiment, load.model, objective, server)
        refuse_what_the_experiment_says(context, experiment)
    else:
        if len(pool) < 2:
            two = _two_pools(pool, application, driven=bool(driven.app))
            raise UsageError(f"a comparison needs at least two pools: {two}")
        asked = {"rounds": rounds, "objective": objective, "margin": margin, "server": server}
        asked |= driven.settings()
        plan = experiment_of(experiment, pool, application, load, told, **asked)
    refuse_several_processes(plan, "a comparison")
    _warn_of_limits(plan, database.connections_per_user)
    if dry_run:
        _print_plan(plan, database.database_url)
    else:
        conduct_and_answer(plan, database, results, output)


def _two_pools(given: list[str], application: ApplicationOptions, *, driven: bool = False) -> str:
    """Options for a comparison with the given pool, if there is one.

    driven: whether an application behind HTTP is given.
    """
    from loadtest.model.pool import AS_IS

    own = driven or application.name
    missing = "" if own or AS_IS not in given else "--session MODULE:NAME "
    first = AS_IS if own or missing else "5+10"
    other = next((one for one in given if one != first), "20+0")
    return f"{missing}--pool {first} --pool {other}"


def _read(path: Path, model: str | None, objective: str, server: list[str]) -> Experiment:
    """The experiment of a file, with the changes that the options ask for."""
    from loadtest.model.experiment import read_experiment
    from loadtest.model.suggestion import did_you_mean_file

    if not exists(path) and (near := did_you_mean_file(path) or bundled_instead(path)):
        raise UsageError(f"there is no experiment {path}{near}")
    plan = read_experiment(path)
    plan = plan.with_model(model) if model else plan
    with naming_options():
        plan = plan.changed("", objective=objective) if objective else plan
        plan = plan.changed("", server=server) if server else plan
    return plan


def _warn_of_limits(plan: Experiment, per_user: int) -> None:
    """Print why the comparison cannot decide: too few rounds, or a load that is too small."""
    from loadtest.analysis.comparison.few_rounds import few_rounds_warning
    from loadtest.analysis.comparison.unused_pools import few_users_note

    warnings = (few_rounds_warning(plan.interim_rounds[-1]), few_users_note(plan, per_user))
    for text in filter(None, warnings):
        typer.secho(text, fg="yellow", err=True)


def _print_plan(experiment: Experiment, database_url: str) -> None:
    from loadtest.experiment.rounds import check_scenario, plans, runs_in_words

    check_scenario(experiment, database_url)
    for plan in plans(experiment):
        typer.echo(f"round {plan.round}  {plan.pool.name:<12} {plan.command()}")
    typer.echo(runs_in_words(experiment))
