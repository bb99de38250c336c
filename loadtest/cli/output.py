"""How commands that measure answer: progress, report, table or JSON, exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from loadtest.model.errors import Ended
from loadtest.model.experiment import Experiment

INTERRUPTED = 130  # as a shell has it


@dataclass(frozen=True)
class Output:
    """How a command answers, beside the report."""

    quiet: bool = False
    as_json: bool = False
    markdown: Path | None = None


def conduct(
    experiment: Experiment, database_url: str, results: Path, output: Output, **how: Any
) -> None:
    """Run an experiment, make its report, and exit with the code that its outcome has.

    Of a failure in the middle it is that of the failure, and the report has what there was before.

    how: what else `experiment.conduct` is to know.
    """
    from loadtest.analysis.comparison.verdict import verdict_exit_code
    from loadtest.experiment.conduct import conduct as run
    from loadtest.report.render import render

    console, failure = Console(stderr=True), None
    try:
        quiet = output.quiet
        folder, complete = run(experiment, database_url, results, console, quiet=quiet, **how)
    except Ended as error:
        folder, complete, failure = error.folder, True, error
        console.print(f"[red]{escape(str(error))}[/]", soft_wrap=True, highlight=False)
    except KeyboardInterrupt:
        console.print("[yellow]Interrupted before anything was measured[/]")
        raise typer.Exit(INTERRUPTED) from None
    if not complete:
        console.print("[yellow]Interrupted: the report has what was measured until then[/]")
    summary = render([folder], folder)
    tell(summary, folder, output)
    raise typer.Exit(failure.exit_code if failure else verdict_exit_code(summary))


def tell(summary: Any, folder: Path, output: Output, *, table: bool = True) -> None:
    """Give the answer in the way that was asked for."""
    from loadtest.report.console import standard_output
    from loadtest.report.markdown import markdown, write_markdown
    from loadtest.report.terminal import print_summary

    if output.markdown:
        write_markdown(output.markdown, markdown(summary))
    if output.as_json:
        typer.echo(json.dumps(summary.to_json(), indent=2))
    if output.as_json or not table:
        return
    out = standard_output()
    print_summary(summary, out)
    out.print(f"Report: {folder / 'report.html'}", soft_wrap=True, highlight=False, markup=False)
