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
) -> None:
    """Run an application and record every connection pool in its processes.

    Example: [bold]loadtest record -- gunicorn --workers 2 shop.web:app[/]
    """
    raise typer.Exit(launcher.record_command(command, results, name, megabytes_per_hour))
