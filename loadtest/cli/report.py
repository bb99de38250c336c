"""The command `loadtest report`: renders a report again from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loadtest.cli.output import AnswerOptions, print_answer
from loadtest.cli.shared_options import AsJson, Markdown
from loadtest.runfile.folders import find_runs, folder_of


def report(
    result: Annotated[list[Path], typer.Argument(help="Run files or folders of results.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Output folder (default: the first result).")
    ] = None,
    markdown: Markdown = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only write the files.")] = False,
) -> None:
    """Make the report again from result files; exits with the result's own code.

    Example: [bold]loadtest report reports/latest[/]
    """
    find_runs(result)  # a missing result is refused before the slow imports

    from loadtest.analysis.comparison.verdict import verdict_exit_code
    from loadtest.report.render import render

    folder = out or folder_of(result[0])
    summary = render(result, folder)
    print_answer(summary, folder, AnswerOptions(markdown, as_json, quiet), table=not quiet)
    raise typer.Exit(verdict_exit_code(summary))
