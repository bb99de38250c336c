"""The command `loadtest doctor`: is this machine, and this database, ready for a run?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from loadtest.cli.shared_options import (
    AllowOverload,
    ApplicationOptions,
    ArrivalRate,
    DatabaseUrl,
    Duration,
    Pools,
    ServerOption,
    load_of,
    pools_of,
)
from loadtest.model.errors import UsageError

if TYPE_CHECKING:
    from loadtest.model.pool import PoolConfig

_Users = Annotated[
    int | None, typer.Option("--users", "-u", min=1, help="Users per process (default: 50).")
]
_Processes = Annotated[
    int, typer.Option(min=1, help="Processes at the same time; each has its own pool.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")]


def doctor(
    *,
    pool: Pools = [],  # noqa: B006 - Typer passes a new list
    application: ApplicationOptions,
    users: _Users = None,
    arrival_rate: ArrivalRate = None,
    time: Duration = None,
    processes: _Processes = 1,
    allow_overload: AllowOverload = False,
    server: ServerOption = "",
    database_url: DatabaseUrl = "",
    as_json: _AsJson = False,
) -> None:
    """Check this machine, the driver and the database before a run; changes nothing.

    With --session or --engine, it checks the driver and the database of your application, and its
    pool, in which --pool changes the settings that it names. An application behind HTTP is looked
    at by loadtest run --app ... --try.

    Every run makes the same checks. Exits with 2 if a run would be refused.

    Examples: [bold]loadtest doctor --pool 20+10 --pool 3000+inf -u 300[/]

    [bold]loadtest doctor --session shop.db:Session -u 40[/]
    """
    load = load_of(time=time, users=users, arrival_rate=arrival_rate)
    pools, rate = _pools(pool, application), load.highest_rate

    from loadtest.database.preflight.situation import Demand
    from loadtest.experiment.doctor import situation_checks as look
    from loadtest.report.check_table import checks_json, print_checks
    from loadtest.report.console import standard_output

    demand = Demand(pools, load.users, processes, load.duration, rate, allow_overload)
    server, checks = look(database_url, demand, application.session, application.engine, server)
    if as_json:
        typer.echo(json.dumps(checks_json(server, checks), indent=2))
    else:
        print_checks(server, checks, standard_output())
    if any(check.severity == "error" for check in checks):
        raise typer.Exit(UsageError.exit_code)


def _pools(given: list[str], application: ApplicationOptions) -> tuple[PoolConfig, ...]:
    pools = tuple(pools_of(given, application=bool(application.name)))
    for pool in pools:
        try:
            pool.check_application(application.name)
        except ValueError as error:
            raise UsageError(f"--pool {pool.name}: {error}") from None
    return tuple(pool.of_application() for pool in pools) if application.name else pools
