"""The command `loadtest export`: a result in the formats of other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from loadtest.cli.completion import complete_result


def export(
    result: Annotated[
        Path,
        typer.Argument(help="A folder of results, or a run file.", autocompletion=complete_result),
    ],
    format: Annotated[str, typer.Option("--format", "-f", help="Format: hlog, csv or junit.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A new file (default: standard output).")
    ] = None,
) -> None:
    """Convert a result for other tools: HdrHistogram log, CSV or JUnit XML.

    Examples: [bold]loadtest export reports/example --format hlog -o waits.hlog[/]

    [bold]loadtest export reports/example --format csv -o seconds.csv[/]
    """
    from loadtest.report.export import exported, write_new

    lines = exported(result, format)
    if out:
        write_new(out, lines)
    else:
        sys.stdout.writelines(lines)
