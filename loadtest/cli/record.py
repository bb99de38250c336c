"""The command `loadtest record`: an application whose pools are recorded.

`loadtest.__main__` starts it without Typer; this module is its place among the other commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loadtest.recording import launcher


def record(
    command: Annotated[list[str], typer.Argument(help=launcher.COMMAND_HELP)],
    results: Annotated[Path, typer.Option(help=launcher.RESULTS_HELP)] = Path("reports"),
    name: Annotated[str, typer.Option(help=launcher.NAME_HELP)] = "",
    megabytes_per_hour: Annotated[float | None, typer.Option(help=launcher.MEGABYTES_HELP)] = None,
    keep_megabytes: Annotated[float | None, typer.Option(help=launcher.KEEP_HELP)] = None,
    metrics_port: Annotated[int | None, typer.Option(help=launcher.PORT_HELP)] = None,
) -> None:
    """Run an application and record every connection pool in its processes.

    Example: [bold]loadtest record -- gunicorn --workers 2 shop.web:app[/]
    """
    given = {
        "megabytes_per_hour": megabytes_per_hour,
        "keep_megabytes": keep_megabytes,
        "metrics_port": metrics_port,
    }
    raise typer.Exit(launcher.record_command(command, results, name, **given))
