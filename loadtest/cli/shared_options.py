"""The options that several commands share, and the settings made from them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loadtest.cli.completion import complete_pool, complete_scenario
from loadtest.cli.driven_options import DrivenOptions
from loadtest.cli.option_mistakes import (
    refuse_the_same,
    refuse_what_is_no_scenario,
    validated_options,
)
from loadtest.model.errors import UsageError

if TYPE_CHECKING:
    from loadtest.model.allowances import Allowances
    from loadtest.model.experiment import Experiment
    from loadtest.model.load import LoadConfig
    from loadtest.model.pool import PoolConfig

ScenarioArgument = Annotated[
    Path,
    typer.Argument(
        help="A locustfile with a PoolUser, or with any users for --app.",
        autocompletion=complete_scenario,
    ),
]
Pools = Annotated[
    list[str],
    typer.Option(
        "--pool",
        autocompletion=complete_pool,
        help="Pool: 20+0, 3000+inf, small:20+0, pool_size=20,max_overflow=0. With --session, "
        "--engine or --app, settings that it does not name stay as they are in your application: "
        "as-is, or as-is,pool_size=20.",
    ),
]
ArrivalRate = Annotated[
    float | None,
    typer.Option(help="Offered rate: requests per second, even if all users are busy (open loop)."),
]
Duration = Annotated[
    str | None, typer.Option("--time", "-t", help="Measured time, like 30s or 2m (default: 30s).")
]
Warmup = Annotated[str, typer.Option("--warmup", help="Warm-up before the measured time.")]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database-url",
        envvar="LOADTEST_DATABASE_URL",
        show_envvar=True,
        help="mysql+pymysql://USER:PASSWORD@HOST/DATABASE (default: a private server).",
    ),
]
AllowOverload = Annotated[
    bool,
    typer.Option(
        "--allow-overload", help="Allow more than 80 % of the free connections of your own server."
    ),
]
_SERVER = (
    "Server program of the private server: mariadb, mysql or a path (default: LOADTEST_SERVER, or "
    "the installed one; MariaDB if both are installed)."
)
ServerOption = Annotated[str, typer.Option("--server", help=_SERVER)]
Servers = Annotated[
    list[str],
    typer.Option("--server", help=f"{_SERVER} Repeat it to compare servers; new:PATH names one."),
]
Results = Annotated[Path, typer.Option("--results", help="Folder for the results.")]
Objective = Annotated[
    str,
    typer.Option(
        help='The limits that a pool must meet: "request_seconds.p95 <= 50ms, errors.rate <= 1%"; '
        "with --app also of one request: 'request[\"GET /orders\"].p95 <= 200ms'."
    ),
]
Margin = Annotated[
    float | None,
    typer.Option(help="The largest relative difference that counts as equal (default: 0.05)."),
]


@dataclass(eq=False, repr=False)
class ApplicationOptions:
    """The names under which an application's pool is found, if it is measured."""

    session: Annotated[
        str,
        typer.Option("--session", help="Your scoped_session or sessionmaker: myapp.db:Session."),
    ] = ""
    engine: Annotated[
        str,
        typer.Option(
            "--engine", help="Your own Engine instead of a database URL: myapp.db:engine."
        ),
    ] = ""

    @property
    def name(self) -> str:
        """The name given for the application; empty without one."""
        return self.session or self.engine


@dataclass(eq=False, repr=False)
class LoadOptions:
    """The load of each run."""

    users: Annotated[
        int | None,
        typer.Option("--users", "-u", help="Users (default: 50; 100 or more with --arrival-rate)."),
    ] = None
    spawn_rate: Annotated[
        float | None,
        typer.Option("--spawn-rate", help="Users started per second (default: all at once)."),
    ] = None
    arrival_rate: ArrivalRate = None
    arrivals: Annotated[
        str | None,
        typer.Option(help="Open loop: arrivals are poisson (default) or even (evenly spaced)."),
    ] = None
    time: Duration = None
    warmup: Warmup = "5s"
    prefill: Annotated[
        bool, typer.Option("--prefill", help="Open pool_size connections before the load begins.")
    ] = False
    model: Annotated[
        str | None,
        typer.Option(help="Users are greenlets (default) or threads; compare takes both."),
    ] = None
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that send requests, with --app only.")
    ] = None

    def config(self) -> LoadConfig:
        """The load that these options describe; UsageError lists every mistake."""
        return load_of(**vars(self))


@dataclass(eq=False, repr=False)
class StagedLoadOptions(LoadOptions):
    """The load of each run, which may have stages."""

    stages: Annotated[
        str | None,
        typer.Option(help="The load in stages: calm=10s:50/s,rush=5s:50-500/s (or users: 10s:20)."),
    ] = None


@dataclass(eq=False, repr=False)
class ScenarioOptions:
    """The seed and the options of the scenario, and the faults."""

    seed: Annotated[int, typer.Option("--seed", help="Seed of the users' random numbers.")] = 1
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="An option of the scenario, like hot_rows=80; repeatable."),
    ] = None
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            help="A fault, its start and its length: restart@10s+2s, kill:50%@5s, freeze@10s+2s, "
            "refuse@5s+1s, latency:5ms, connect-delay:150ms, idle-drop:1s@3s+5s, "
            "max-connections:50@5s+5s.",
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
        """These options as settings of an experiment."""
        from loadtest.model.fault import parse_fault

        return {
            "seed": self.seed,
            "options": _options(self.option or []),
            "fault": [parse_fault(text) for text in self.fault or []],
        }


@dataclass(eq=False, repr=False)
class DatabaseOptions:
    """The database of an experiment, what the user allows there, and whether tasks are tried."""

    database_url: DatabaseUrl = ""
    allow_overload: AllowOverload = False
    no_abort: Annotated[
        bool,
        typer.Option(
            "--no-abort",
            help="Continue if your own server refuses other clients or does not report its status.",
        ),
    ] = False
    keep_tables: Annotated[
        bool,
        typer.Option("--keep-tables", help="Keep the scenario's tables on your own server."),
    ] = False
    connections_per_user: Annotated[
        int,
        typer.Option(
            min=1,
            help="Most connections that one user holds at once, for the announced number on your "
            "own server.",
        ),
    ] = 1
    no_try: Annotated[
        bool,
        typer.Option("--no-try", help="Do not try each task once before the load."),
    ] = False

    @property
    def allowed(self) -> Allowances:
        """What the user allows on their own server."""
        from loadtest.model.allowances import Allowances

        return Allowances(
            self.allow_overload, self.no_abort, self.keep_tables, self.connections_per_user
        )


def refuse_what_the_experiment_says(context: typer.Context, experiment: Path) -> None:
    """Raise UsageError if an option was given that the experiment's file contains."""
    groups = (ApplicationOptions, DrivenOptions, StagedLoadOptions, ScenarioOptions)
    own = ["pool", "rounds", "margin", *(field.name for group in groups for field in fields(group))]
    own.remove("model")  # allowed with an experiment
    sources = {name: context.get_parameter_source(name) for name in own}
    given = [name for name, source in sources.items() if source and source.name != "DEFAULT"]
    if given:
        flags = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UsageError(f"{flags}: only with a scenario; edit the settings in {experiment}")


def load_of(*, time: str | None, stages: str | None = None, **given: Any) -> LoadConfig:
    """The load that the options describe; UsageError lists every mistake."""
    from loadtest.model.load import LoadConfig, parse_stages

    data = {name: value for name, value in given.items() if value is not None}
    data |= {"stage": parse_stages(stages)} if stages else {}
    data |= {"duration": time} if time else {}
    return validated_options(LoadConfig, data)


def pools_of(given: list[str], *, application: bool) -> list[PoolConfig]:
    """The given pools; without any, the application's pool, if there is one, or the default.

    Raises UsageError.
    """
    from loadtest.model.pool import AS_IS, parse_pool

    default = AS_IS if application else "5+10"
    return [parse_pool(text) for text in given or [default]]


def experiment_of(
    scenario: Path,
    pools: list[str],
    application: ApplicationOptions,
    load: LoadOptions,
    told: ScenarioOptions,
    /,
    **more: Any,
) -> Experiment:
    """The experiment that the options describe; UsageError lists every mistake.

    more: other settings of the experiment; None means not given.
    """
    refuse_what_is_no_scenario(scenario)
    data = {
        "name": re.sub(r"[^a-z0-9]+", "-", scenario.stem.lower()).strip("-") or "scenario",
        "scenario": scenario,
        "load": load.config(),
        **told.settings(),
        **vars(application),
        "pool": pools_of(pools, application=bool(application.name or more.get("application"))),
        **{name: value for name, value in more.items() if value is not None},
    }
    refuse_the_same(pools)
    # Last: a mistake in one of the options above is told without it.
    from loadtest.model.experiment import Experiment

    return validated_options(Experiment, data)


def _options(texts: list[str]) -> dict[str, str | bool]:
    """The scenario's options by name; UsageError for one that is given twice."""
    found: dict[str, str | bool] = {}
    for text in texts:
        name, value = _option(text)
        if name.replace("-", "_") in {known.replace("-", "_") for known in found}:
            raise UsageError(f"--option {name} is given twice; give it once")
        found[name] = value
    return found


def _option(text: str) -> tuple[str, str | bool]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--option {text}: write NAME=VALUE, like hot_rows=80")
    return name, {"true": True, "false": False}.get(value, value)
