"""The command `loadtest capacity`: processes x pool against the server's limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loadtest.cli.recording_options import ApplicationName, only_for_recordings
from loadtest.model.errors import UsageError
from loadtest.runfile.folders import holds_recording, run_files

if TYPE_CHECKING:
    from loadtest.analysis.fleet.capacity import ServerLimits
    from loadtest.analysis.fleet.recorded_fleet import RecordedFleet
    from loadtest.model.pool import PoolConfig

MISSED = 3

_From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Take processes, replicas (hosts) and pools from this recording, or from this result "
        "of --app.",
    ),
]
_Processes = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processes per replica; each process has its own pool (default: the recording's, or "
        "1).",
    ),
]
_Replicas = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Replicas: machines, containers or pods (default: the recording's hosts, or 1).",
    ),
]
_Surge = Annotated[
    int,
    typer.Option(min=0, help="Extra replicas during a deployment, including those that end."),
]
_Pools = Annotated[
    list[str],
    typer.Option(
        "--pool",
        help="Pool: 20+10, 3000+inf or pool_size=20,max_overflow=10 (default: the "
        "recording's, or 5+10). Repeat it for several engines in each process: their pools add up.",
    ),
]
_Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Threads per process; each uses at most one connection of each pool (default: "
        "unknown).",
    ),
]
_MaxConnections = Annotated[
    int | None,
    typer.Option(min=1, help="The server's max_connections (default: read from the database)."),
]
_MaxUserConnections = Annotated[
    int | None,
    typer.Option(min=0, help="The account's limit; 0: no limit (default: read, otherwise 0)."),
]
_Others = Annotated[
    int | None,
    typer.Option(min=0, help="Connections of other clients (default: the current number, or 0)."),
]
_Reserve = Annotated[
    int | None,
    typer.Option(min=0, help="Connections to keep free for backups and operators (default: 10)."),
]
_DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database-url",
        envvar="LOADTEST_DATABASE_URL",
        show_envvar=True,
        help="Read the limits from this database: mysql+pymysql://USER:PASSWORD@HOST/DATABASE.",
    ),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


def capacity(
    pool: _Pools = [],  # noqa: B006 - Typer passes a new list
    processes: _Processes = None,
    replicas: _Replicas = None,
    surge: _Surge = 0,
    threads: _Threads = None,
    max_connections: _MaxConnections = None,
    max_user_connections: _MaxUserConnections = None,
    others: _Others = None,
    reserve: _Reserve = None,
    database_url: _DatabaseUrl = "",
    recording: _From = None,
    application: ApplicationName = "",
    as_json: _AsJson = False,
) -> None:
    """Check whether a fleet's pools fit the server's limits, and suggest a safe pool.

    Reads the limits and the connections of the database; changes nothing. Exits with 3 if the
    fleet does not fit.

    An application with several engines has several pools in each process: repeat --pool.

    Examples: [bold]loadtest capacity --processes 12 --replicas 5 --surge 1 --pool 20+10
    --max-connections 500[/]

    [bold]loadtest capacity --from reports/shop-20251130-140300 --surge 1 --max-connections 500[/]
    """
    from loadtest.analysis.fleet.capacity import Fleet
    from loadtest.analysis.fleet.capacity_findings import fleet_capacity as answer
    from loadtest.analysis.fleet.recorded_fleet import recorded_findings
    from loadtest.model.pool import PoolConfig
    from loadtest.report import capacity_table as told
    from loadtest.report.console import standard_output

    given = [_multipliable(text) for text in pool]
    names = [one.name for one in given]
    recorded = _recorded(recording, application, names) if recording else None
    pools = [one.arguments() for one in given]
    first, *further = pools or (recorded.pools if recorded else [PoolConfig().arguments()])
    fleet = Fleet(
        processes=processes or (recorded.processes if recorded else 1),
        replicas=replicas or (recorded.hosts if recorded else 1),
        surge=surge,
        pool=first,
        further_pools=tuple(further),
        placements=recorded.placements if recorded and not (pools or processes or replicas) else (),
        threads=threads,
    )
    said = {
        "dialect": (recorded.dialect or None) if recorded else None,
        "max_connections": max_connections,
        "max_user_connections": max_user_connections,
        "reserve": reserve,
    }
    found = answer(fleet, server_of(database_url, others, said))
    if recorded:
        findings = (*found.findings, *recorded_findings(recorded))
        found = found.model_copy(update={"findings": findings})
    if as_json:
        typer.echo(json.dumps(told.capacity_json(found), indent=2))
    else:
        told.print_capacity(found, standard_output())
    raise typer.Exit(0 if found.fits else MISSED)


def _recorded(path: Path, application: str, pools: list[str]) -> RecordedFleet:
    """The fleet of a recording, or of a result that drove an application; pools: those given."""
    from loadtest.analysis.driven.driven_fleet import driven_fleet
    from loadtest.analysis.fleet.recorded_fleet import recorded_fleet
    from loadtest.analysis.recordings.read_recording import read_recording
    from loadtest.report.render import read_measurements

    if holds_recording([path]) or not any(run_files([path])):
        return recorded_fleet(read_recording([path], application=application).pools)
    only_for_recordings(application=application)
    return driven_fleet(read_measurements([path]), pools)


def _multipliable(text: str) -> PoolConfig:
    from loadtest.model.pool import AS_IS, parse_pool

    pool = parse_pool(text)
    if pool.poolclass == AS_IS:
        raise UsageError(f"--pool {AS_IS}: the sizes are unknown here; give them, like 20+10")
    return pool


def server_of(url: str, others: int | None, said: Mapping[str, int | str | None]) -> ServerLimits:
    """The server's limits: from the options, otherwise from the database.

    Raises UsageError if neither gives max_connections.
    """
    from loadtest.analysis.fleet.capacity import ServerLimits

    told: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if url:
        told = _asked(url, others) | told
    if "max_connections" not in told:
        raise UsageError(
            "the server does not report max_connections: give --max-connections N"
            if url
            else "the server's limit is unknown: give --max-connections N, or the database with "
            "--database-url mysql+pymysql://USER:PASSWORD@HOST/DATABASE or LOADTEST_DATABASE_URL"
        )
    return ServerLimits(**{"others": others or 0, **told})


def _asked(url: str, others: int | None) -> dict[str, Any]:
    """The limits that a database reports; others: replaces the measured number."""
    from loadtest.database.engine import database_url
    from loadtest.database.preflight.occupancy import occupancy

    now = occupancy(database_url(url))
    # A smaller number of others leaves out the fleet's own connections, which use this account.
    connected = now.connected or 0
    fleets = 0 if others is None else max(0, connected - others)
    there = connected if others is None else others
    asked = {
        "dialect": "mysql",  # or MariaDB
        "max_connections": now.max_connections,
        "max_user_connections": now.max_user_connections,
        "own_limit": now.own_limit,
        "files": now.files_left,
        "others": there,
        "others_of_account": min(there, max(0, now.of_account - fleets)),
        "counted": others is None and now.connected is not None,
        "peak": now.peak,
        "privileged": now.privileged,
        **{n: now.number(n) for n in ("open_files_limit", "table_open_cache", "wait_timeout")},
        "version": now.variables.get("version"),
    }
    return {name: value for name, value in asked.items() if value is not None}
