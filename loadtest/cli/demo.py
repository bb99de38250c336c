"""The command `loadtest demo`: three pools in a flash sale."""

from __future__ import annotations

from pathlib import Path

from loadtest.cli.output import Output, conduct
from loadtest.cli.shared_options import DatabaseOptions, Quiet, Results, Server
from loadtest.experiment import bundled_scenarios


def demo(
    *,
    server: Server = "",
    database: DatabaseOptions,
    results: Results = Path("reports"),
    quiet: Quiet = False,
) -> None:
    """Compare three pools in a flash sale, about three minutes, and say which is best.

    Example: [bold]loadtest demo[/]
    """
    from loadtest.model.experiment import read_experiment

    plan = read_experiment(bundled_scenarios.folder() / "hot_row.toml")
    plan = plan.changed("--server", server=server)
    conduct(plan, database, results, Output(quiet=quiet))
