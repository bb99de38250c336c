"""The output of the measuring commands: progress, report, table or JSON, exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from loadtest.cli.shared_options import DatabaseOptions
from loadtest.model.errors import Ended, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from loadtest.model.experiment import Experiment
    from loadtest.model.recording_summary import RecordingSummary
    from loadtest.model.summary import Summary

_S = TypeVar("_S", "Summary", "RecordingSummary")

Markdown = Annotated[Path | None, typer.Option(help="Also write the result to this Markdown file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print summary.json instead of the table.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result only.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print the command that repeats each run.")
]

INTERRUPTED = 130  # the exit code that shells use after Ctrl-C


@dataclass(eq=False, repr=False)
class AnswerOptions:
    """The output of a command besides the report."""

    markdown: Markdown = None
    as_json: AsJson = False
    quiet: Quiet = False


@dataclass(eq=False, repr=False)
class MeasuringOutputOptions(AnswerOptions):
    """The output of a command that measures."""

    verbose: Verbose = False


def conduct_and_answer(
    experiment: Experiment,
    database: DatabaseOptions,
    results: Path,
    output: MeasuringOutputOptions,
    **how: Any,
) -> None:
    """Run an experiment, write its report, and exit with the code of its outcome.

    After a failure, the exit code is the failure's, and the report covers the runs before it.

    how: further arguments of `experiment.conduct`.
    """
    from rich.console import Console
    from rich.markup import escape

    from loadtest.analysis.comparison.verdict import verdict_exit_code
    from loadtest.experiment.conduct import add_to_plan
    from loadtest.experiment.conduct import conduct as run
    from loadtest.report.render import render

    console, failure = Console(stderr=True), None
    how |= {
        "quiet": output.quiet,
        "verbose": output.verbose,
        "allowed": database.allowed,
        "tried": not database.no_try,
    }
    try:
        folder, complete = run(experiment, database.database_url, results, console, **how)
    except Ended as error:
        folder, complete, failure = error.folder, True, error
        console.print(f"[red]{escape(str(error))}[/]", soft_wrap=True, highlight=False)
    except KeyboardInterrupt:
        raise _interrupted(console) from None
    if not complete:
        console.print("[yellow]Interrupted: the report covers what was measured so far[/]")
    add_to_plan(folder, command=command_line(sys.argv[1:]))
    summary = render([folder], folder)
    print_answer(summary, folder, output)
    raise typer.Exit(failure.exit_code if failure else verdict_exit_code(summary))


def command_line(words: Sequence[str]) -> str:
    """A command of loadtest with these arguments, without the database's URL and passwords.

    Values of an application's environment variables are hidden, except for placeholders.
    """
    import shlex

    from loadtest.database.redaction import without_passwords
    from loadtest.model.driven_application import shown_variable

    kept, left = ["loadtest"], iter(words)
    for word in left:
        if word == "--database-url":
            next(left, None)
        elif word == "--app-env":
            kept += [word, shown_variable(next(left, ""))]
        elif word.startswith("--app-env="):
            kept.append(f"--app-env={shown_variable(word.removeprefix('--app-env='))}")
        elif not word.startswith("--database-url="):
            kept.append(word)
    return without_passwords(shlex.join(kept))


def try_and_answer(experiment: Experiment, database: DatabaseOptions, *, quiet: bool) -> None:
    """Try each task of a scenario once; measures nothing. There may not be time for all of them.

    Raises UsageError if a task failed with an error that the database's state does not explain.
    """
    from rich.console import Console

    from loadtest.experiment.conduct import only_try
    from loadtest.runfile.folders import as_typed

    console, address = Console(stderr=True), database.database_url
    try:
        found = only_try(experiment, address, console, quiet=quiet, allowed=database.allowed)
    except KeyboardInterrupt:
        raise _interrupted(console) from None
    trial = f"The trial of {as_typed(experiment.scenario)}"
    if found.unexplained:
        raise UsageError(f"{trial}: {found}")
    typer.echo(f"{trial} found no mistake" + (f", but {found}" if str(found) else ""))
    if found.requests:
        typer.echo(f"Its requests: {', '.join(found.requests)}")


def _interrupted(console: Console) -> typer.Exit:
    console.print("[yellow]Interrupted before anything was measured[/]")
    return typer.Exit(INTERRUPTED)


def print_answer(
    summary: Summary, folder: Path, output: AnswerOptions, *, table: bool = True
) -> None:
    """Print a summary in the requested formats."""
    from loadtest.report.markdown import markdown
    from loadtest.report.terminal import print_summary

    _print_in_formats(summary, folder, output, (markdown, print_summary), table=table)


def print_recording_answer(summary: RecordingSummary, folder: Path, output: AnswerOptions) -> None:
    """Print the summary of a recording in the requested formats."""
    from loadtest.report.recorded.recording_markdown import recording_markdown
    from loadtest.report.recorded.recording_terminal import print_recording

    formats = (recording_markdown, print_recording)
    _print_in_formats(summary, folder, output, formats, table=not output.quiet)


def _print_in_formats(
    summary: _S,
    folder: Path,
    output: AnswerOptions,
    formats: tuple[Callable[[_S], str], Callable[[_S, Console], None]],
    *,
    table: bool,
) -> None:
    """Print a summary; formats: it as Markdown, and a function that prints it."""
    from loadtest.report.console import standard_output
    from loadtest.report.markdown import write_markdown

    markdown, print_it = formats
    if output.markdown:
        write_markdown(output.markdown, markdown(summary))
    if output.as_json:
        import json  # a page of help does without it

        typer.echo(json.dumps(summary.to_json(), indent=2))
    if output.as_json or not table:
        return
    out = standard_output()
    print_it(summary, out)
    out.print(f"Report: {folder / 'report.html'}", soft_wrap=True, highlight=False, markup=False)
