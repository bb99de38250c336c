"""The command `loadtest report`: renders a report from run files or from a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loadtest.cli.completion import complete_result
from loadtest.cli.output import (
    AnswerOptions,
    AsJson,
    Markdown,
    print_answer,
    print_recording_answer,
)
from loadtest.cli.recording_options import PartOptions, only_for_recordings
from loadtest.runfile.folders import find_runs, folder_of, holds_recording


def report(
    result: Annotated[
        list[Path],
        typer.Argument(
            help="Run files, recordings, or folders of either.", autocompletion=complete_result
        ),
    ],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Output folder (default: the first result).")
    ] = None,
    part: PartOptions,
    markdown: Markdown = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only write the files.")] = False,
) -> None:
    """Make the report of a recording, or again of a result; exits with the result's own code.

    Example: [bold]loadtest report reports/latest[/]

    Of a recording: [bold]loadtest report reports/latest --busiest 60s[/]
    """
    answer = AnswerOptions(markdown, as_json, quiet)
    if not holds_recording(result):
        find_runs(result)  # a missing result is refused before the slow imports
        only_for_recordings(**vars(part))
        _report_runs(result, out, answer)
    _report_recording(result, out, answer, part)


def _report_runs(result: list[Path], out: Path | None, answer: AnswerOptions) -> None:
    from loadtest.analysis.comparison.verdict import verdict_exit_code
    from loadtest.report.render import render

    folder = out or folder_of(result[0])
    summary = render(result, folder)
    print_answer(summary, folder, answer, table=not answer.quiet)
    raise typer.Exit(verdict_exit_code(summary))


def _report_recording(
    result: list[Path], out: Path | None, answer: AnswerOptions, part: PartOptions
) -> None:
    from loadtest.report.recorded.render_recording import render_recording

    folder = out or folder_of(result[0])
    summary = render_recording(result, folder, part.time, part.application)
    print_recording_answer(summary, folder, answer)
