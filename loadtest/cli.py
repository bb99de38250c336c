"""The `loadtest` command."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from loadtest import __version__
from loadtest.config import Experiment, parse_pool, read_experiment
from loadtest.errors import LoadtestError, UsageError
from loadtest.fields import validated
from loadtest.loads import LoadConfig, parse_fault, parse_stages
from loadtest.results import folder_of

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
INTERRUPTED = 130  # as a shell has it
LOAD = ("users", "spawn_rate", "arrival_rate", "arrivals", "stages", "time", "warmup", "prefill")
WIDE = 1000  # columns of a file or a pipe: whoever reads it there breaks the lines

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Scenario = Annotated[Path, typer.Argument(help="A locustfile with a PoolUser.")]
Pools = Annotated[
    list[str],
    typer.Option("--pool", help="20+0, 3000+inf, small:20+0 or pool_size=20,max_overflow=0"),
]
Users = Annotated[
    int | None,
    typer.Option(
        "--users", "-u", help="Users (default: 50; with --arrival-rate enough, 100 or more)."
    ),
]
ArrivalRate = Annotated[
    float | None,
    typer.Option(help="Open loop: begin so many tasks a second, whoever is busy."),
]
Arrivals = Annotated[
    str | None, typer.Option(help="Open loop: poisson (default) or even, evenly spaced.")
]
SpawnRate = Annotated[
    float | None, typer.Option("--spawn-rate", help="Users started a second (default: all).")
]
Stages = Annotated[
    str | None,
    typer.Option(help="The load in stages: calm=10s:50/s,rush=5s:50-500/s (or users: 10s:20)."),
]
Duration = Annotated[
    str | None, typer.Option("--time", "-t", help="Measured time, like 30s or 2m (default: 30s).")
]
Model = Annotated[
    str | None,
    typer.Option(help="What users are: greenlets (default) or threads; compare takes both."),
]
Prefill = Annotated[bool, typer.Option("--prefill", help="Open pool_size connections first.")]
Warmup = Annotated[str, typer.Option("--warmup", help="Time before that, not measured.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the users' random numbers.")]
Options = Annotated[
    list[str] | None, typer.Option("--option", help="An option of the scenario: hot_rows=80.")
]
Faults = Annotated[
    list[str] | None,
    typer.Option("--fault", help="What breaks: freeze@10s+2s, connect-delay:150ms."),
]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database-url",
        envvar="LOADTEST_DATABASE_URL",
        show_envvar=True,
        help="mysql+pymysql://USER:PASSWORD@HOST/DATABASE (default: a private MariaDB).",
    ),
]
Results = Annotated[Path, typer.Option("--results", help="Folder for the results.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only the result.")]


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
    database_url: DatabaseUrl = "", results: Results = Path("reports"), quiet: Quiet = False
) -> None:
    """Compare three pools in a flash sale, about two minutes, and say which is best.

    Example: [bold]loadtest demo[/]
    """
    _conduct(read_experiment(SCENARIOS / "hot_row.toml"), database_url, results, quiet)


@app.command()
def run(
    scenario: Scenario,
    pool: Annotated[str, typer.Option("--pool", help="20+0 or pool_size=20,…")] = "5+10",
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
    database_url: DatabaseUrl = "",
    results: Results = Path("reports"),
    quiet: Quiet = False,
) -> None:
    """Measure one pool configuration under one load.

    Examples: [bold]loadtest run scenarios/point_select.py --pool 20+0 -u 50 -t 10s[/]

    [bold]loadtest run scenarios/point_select.py --pool 20+0 -u 30 -t 10s --model threads[/]
    """
    load = _load(
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
    experiment = _experiment(scenario, [pool], load, 1, seed, option, fault)
    _conduct(experiment, database_url, results, quiet)


@app.command()
def compare(
    context: typer.Context,
    experiment: Annotated[Path, typer.Argument(help="An experiment (.toml) or a scenario (.py).")],
    pool: Pools = [],  # noqa: B006 - Typer reads the default and hands in a list of its own
    rounds: Annotated[int, typer.Option("--rounds", help="Repetitions of each pool.")] = 5,
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
    database_url: DatabaseUrl = "",
    results: Results = Path("reports"),
    quiet: Quiet = False,
) -> None:
    """Compare pool configurations in interleaved rounds and say which is best.

    Examples: [bold]loadtest compare scenarios/hot_row.toml --dry-run[/]

    [bold]loadtest compare scenarios/hot_row.py --pool 5+10 --pool 20+0 --rounds 5 -t 5s[/]

    [bold]loadtest compare scenarios/held_connection.toml --model greenlets,threads[/]
    """
    from loadtest.experiment.rounds import check

    if experiment.suffix == ".toml":
        _refuse_what_the_experiment_says(context, experiment)
        plan = read_experiment(experiment)
        plan = plan.with_model(model) if model else plan
    else:
        if len(pool) < 2:
            raise UsageError("a comparison needs two pools or more: --pool 5+10 --pool 20+0")
        load = _load(
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
        plan = _experiment(experiment, pool, load, rounds, seed, option, fault)
    if dry_run:
        check(plan)
        _print_plan(plan)
        return
    _conduct(plan, database_url, results, quiet)


@app.command()
def report(
    result: Annotated[list[Path], typer.Argument(help="Run files or folders of results.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write to (default: the first).")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Make the report again from result files.

    Example: [bold]loadtest report reports/latest[/]
    """
    from loadtest.report.render import render

    folder = out or folder_of(result[0])
    summary = render(result, folder)
    if not quiet:
        _print_result(summary, folder)


def _refuse_what_the_experiment_says(context: typer.Context, experiment: Path) -> None:
    own = ("pool", "rounds", "option", "seed", "fault", *LOAD)
    sources = {name: context.get_parameter_source(name) for name in own}
    given = [name for name, source in sources.items() if source and source.name != "DEFAULT"]
    if given:
        flags = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UsageError(f"{flags}: goes with a scenario; {experiment} says that itself, edit it")


def _refuse_what_is_no_scenario(path: Path) -> None:
    if path.is_dir():
        example = min(path.glob("[!_]*.py"), default=path / "NAME.py")
        raise UsageError(f"{path} is a folder; name one file of it, like {example}")
    if not path.is_file():
        raise UsageError(f"there is no scenario {path}")
    if path.suffix == ".toml":
        raise UsageError(f"{path} is an experiment, not a scenario: loadtest compare {path}")
    if path.suffix != ".py":
        raise UsageError(f"{path} is no scenario: write a Python file, NAME.py")


def _load(*, stages: str | None, time: str | None, **given: Any) -> LoadConfig:
    data = {name: value for name, value in given.items() if value is not None}
    data |= {"stage": parse_stages(stages)} if stages else {}
    data |= {"duration": time} if time else {}
    return validated(LoadConfig, data, "load")


def _experiment(
    scenario: Path,
    pools: list[str],
    load: LoadConfig,
    rounds: int,
    seed: int,
    options: list[str] | None,
    faults: list[str] | None,
) -> Experiment:
    _refuse_what_is_no_scenario(scenario)
    data = {
        "name": re.sub(r"[^a-z0-9]+", "-", scenario.stem.lower()).strip("-") or "scenario",
        "scenario": scenario,
        "rounds": rounds,
        "seed": seed,
        "load": load,
        "options": dict(_option(text) for text in options or []),
        "fault": [parse_fault(text) for text in faults or []],
        "pool": [parse_pool(text) for text in pools],
    }
    return validated(Experiment, data, "experiment")


def _option(text: str) -> tuple[str, str | bool]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--option {text}: write NAME=VALUE, like hot_rows=80")
    return name, {"true": True, "false": False}.get(value, value)


def _print_plan(experiment: Experiment) -> None:
    from loadtest.experiment.rounds import expected_seconds, plans

    for plan in plans(experiment):
        typer.echo(f"round {plan.round}  {plan.pool.name:<12} {plan.command()}")
    minutes, seconds = divmod(round(expected_seconds(experiment)), 60)
    typer.echo(f"{len(plans(experiment))} runs, about {minutes} min {seconds} s")


def _conduct(experiment: Experiment, database_url: str, results: Path, quiet: bool) -> None:
    """Run an experiment, make its report, and exit with the code that its outcome has."""
    from loadtest.analysis.verdict import exit_code
    from loadtest.experiment.conduct import conduct
    from loadtest.report.render import render

    console = Console(stderr=True)
    try:
        folder, complete = conduct(experiment, database_url, results, console, quiet=quiet)
    except KeyboardInterrupt:
        console.print("[yellow]Interrupted before anything was measured[/]")
        raise typer.Exit(INTERRUPTED) from None
    if not complete:
        console.print("[yellow]Interrupted: the report has what was measured until then[/]")
    summary = render([folder], folder)
    _print_result(summary, folder)
    raise typer.Exit(exit_code(summary))


def _print_result(summary: Any, folder: Path) -> None:
    from loadtest.report.terminal import print_summary

    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    print_summary(summary, console)
    console.print(f"Report: {folder / 'report.html'}", soft_wrap=True, highlight=False)


def main() -> None:
    """Run the command; a problem is one message on standard error and an exit code."""
    try:
        app()
    except LoadtestError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
