"""The command `loadtest doctor`: is this machine, and this database, ready for a run?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from loadtest.cli.shared_options import (
    AllowOverload,
    ArrivalRate,
    DatabaseUrl,
    Duration,
    Engine,
    Pools,
    Server,
    Session,
    load_of,
)
from loadtest.model.errors import UsageError
from loadtest.model.pool import AS_IS, PoolConfig, parse_pool

_Users = Annotated[
    int | None, typer.Option("--users", "-u", min=1, help="Users of a process (default: 50).")
]
_Processes = Annotated[
    int, typer.Option(min=1, help="Processes at once, each with a pool of its own.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print the checks as JSON instead.")]


def doctor(
    pool: Pools = [],  # noqa: B006 - Typer reads the default and hands in a list of its own
    session: Session = "",
    engine: Engine = "",
    users: _Users = None,
    arrival_rate: ArrivalRate = None,
    time: Duration = None,
    processes: _Processes = 1,
    allow_overload: AllowOverload = False,
    server: Server = "",
    database_url: DatabaseUrl = "",
    as_json: _AsJson = False,
) -> None:
    """Check this machine, the driver and the database before a run; nothing is changed there.

    With --session or --engine they are your own application's, as is the pool without --pool.

    Each run makes the same checks. Exit code 2 if a run would be refused.

    Examples: [bold]loadtest doctor --pool 20+10 --pool 3000+inf -u 300[/]

    [bold]loadtest doctor --session shop.db:Session -u 40[/]
    """
    from loadtest.database.preflight.situation import Demand
    from loadtest.experiment.doctor import doctor as look
    from loadtest.report.check_table import checks_json, print_checks
    from loadtest.report.console import standard_output

    load = load_of(stages=None, time=time, users=users, arrival_rate=arrival_rate)
    pools = _pools(pool, session or engine)
    rate = load.highest_rate
    demand = Demand(pools, load.users, processes, load.duration, rate, allow_overload)
    server, checks = look(database_url, demand, session, engine, server)
    if as_json:
        typer.echo(json.dumps(checks_json(server, checks), indent=2))
    else:
        print_checks(server, checks, standard_output())
    if any(check.severity == "error" for check in checks):
        raise typer.Exit(UsageError.exit_code)


def _pools(given: list[str], application: str) -> tuple[PoolConfig, ...]:
    pools = tuple(map(parse_pool, given or [AS_IS if application else "5+10"]))
    for pool in pools:
        try:
            pool.check_application(application)
        except ValueError as error:
            raise UsageError(f"--pool {pool.name}: {error}") from None
    return pools
