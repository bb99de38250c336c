"""The command `loadtest scenarios`: the bundled scenarios, listed or copied."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loadtest.experiment import bundled_scenarios
from loadtest.model.errors import UsageError


def scenarios(
    name: Annotated[
        str | None, typer.Argument(help="The scenario to copy (default: list all scenarios).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Target folder (default: the current one).")
    ] = None,
) -> None:
    """List the bundled scenarios, or copy one with its experiment as a starting point.

    Examples: [bold]loadtest scenarios[/]

    [bold]loadtest scenarios hot_row -o mine[/]
    """
    if name is None and out:
        raise UsageError(f"-o {out}: name the scenario: loadtest scenarios NAME -o {out}")
    if name is None:
        _list()
        return
    copies = bundled_scenarios.copy_scenario(name, out or Path())
    for path in copies:
        typer.echo(f"wrote {path}")
    typer.echo(f"Next: loadtest compare {copies[-1]} --dry-run")


def _list() -> None:
    width = max(map(len, bundled_scenarios.scenario_names()))
    for name in bundled_scenarios.scenario_names():
        typer.echo(f"{name:<{width}}  {bundled_scenarios.first_line_of(name)}")
