"""The command `loadtest report`: renders a report from run files or from a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loadtest.cli.output import AnswerOptions, print_answer, print_recording_answer
from loadtest.cli.shared_options import AsJson, Markdown
from loadtest.model.errors import UsageError
from loadtest.runfile.folders import find_runs, folder_of, holds_recording

_MOMENT = "14:03 or 2026-11-30T14:03 (UTC; add +01:00 or ' local'), or 10m before its end."


def report(
    result: Annotated[
        list[Path], typer.Argument(help="Run files, recordings, or folders of either.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Output folder (default: the first result).")
    ] = None,
    since: Annotated[str, typer.Option(help=f"Begin of the part of a recording: {_MOMENT}")] = "",
    until: Annotated[str, typer.Option(help=f"End of the part of a recording: {_MOMENT}")] = "",
    busiest: Annotated[
        str, typer.Option(help="Only the busiest time of a recording, of this length: 60s.")
    ] = "",
    application: Annotated[
        str, typer.Option(help="One of several applications with recordings in the same folder.")
    ] = "",
    markdown: Markdown = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only write the files.")] = False,
) -> None:
    """Make the report of a recording, or again of a result; exits with the result's own code.

    Example: [bold]loadtest report reports/latest[/]

    Of a recording: [bold]loadtest report reports/latest --busiest 60s[/]
    """
    answer = AnswerOptions(markdown, as_json, quiet)
    given = {"--since": since, "--until": until, "--busiest": busiest}
    given |= {"--application": application}
    if not holds_recording(result):
        find_runs(result)  # a missing result is refused before the slow imports
        if asked := [name for name, value in given.items() if value]:
            raise UsageError(f"{asked[0]} is for recordings; this is a result of a load test")
        _report_runs(result, out, answer)
    _report_recording(result, out, answer, since, until, busiest, application)


def _report_runs(result: list[Path], out: Path | None, answer: AnswerOptions) -> None:
    from loadtest.analysis.comparison.verdict import verdict_exit_code
    from loadtest.report.render import render

    folder = out or folder_of(result[0])
    summary = render(result, folder)
    print_answer(summary, folder, answer, table=not answer.quiet)
    raise typer.Exit(verdict_exit_code(summary))


def _report_recording(
    result: list[Path],
    out: Path | None,
    answer: AnswerOptions,
    since: str,
    until: str,
    busiest: str,
    application: str,
) -> None:
    from loadtest.model.field_types import parse_duration
    from loadtest.report.recorded.render_recording import ReportedTime, render_recording

    try:
        length = parse_duration(busiest) if busiest else None
    except ValueError as error:
        raise UsageError(f"--busiest: {error}") from None
    folder = out or folder_of(result[0])
    time = ReportedTime(since, until, length)
    summary = render_recording(result, folder, time, application)
    print_recording_answer(summary, folder, answer)
