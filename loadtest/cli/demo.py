"""The command `loadtest demo`: three pools in a flash sale."""

from __future__ import annotations

from pathlib import Path

from loadtest.cli.output import Output, conduct
from loadtest.cli.shared_options import (
    AllowOverload,
    DatabaseUrl,
    KeepTables,
    NoAbort,
    Quiet,
    Results,
    Server,
)
from loadtest.experiment import bundled_scenarios
from loadtest.model.allowances import Allowances
from loadtest.model.experiment import read_experiment


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
    plan = read_experiment(bundled_scenarios.folder() / "hot_row.toml").changed(
        "--server", server=server
    )
    allowed = Allowances(allow_overload, no_abort, keep_tables)
    conduct(plan, database_url, results, Output(quiet), allowed=allowed)
