"""The command `loadtest diff`: compares two finished results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from loadtest.cli.completion import complete_result
from loadtest.cli.output import AsJson, Markdown
from loadtest.cli.recording_options import ApplicationName, only_for_recordings
from loadtest.model.errors import UsageError
from loadtest.runfile.folders import find_runs, holds_recording


def diff(
    before: Annotated[
        Path,
        typer.Argument(
            help="A folder of results or of a recording, or a file of one.",
            autocompletion=complete_result,
        ),
    ],
    after: Annotated[
        Path,
        typer.Argument(
            help="Another result, or recording, with the same pools.",
            autocompletion=complete_result,
        ),
    ],
    application: ApplicationName = "",
    markdown: Markdown = None,
    as_json: AsJson = False,
) -> None:
    """Show what became better or worse between two results; exits with 3 if anything is worse.

    Two recordings of an application are compared in blocks of time with similar load.

    Examples: [bold]loadtest diff reports/before/latest reports/after/latest[/]

    [bold]loadtest diff reports/shop-20251130-140300 reports/shop-20251201-140500[/]
    """
    if _are_recordings(before, after):
        _diff_recordings(before, after, application, markdown, as_json=as_json)
    find_runs([before, after])  # a missing result is refused before the slow imports
    only_for_recordings(application=application)

    from loadtest.analysis.comparison.result_diff import (
        compare_results,
        diff_exit_code,
        generator_drifts,
        invalid_pools,
        unmatched_pools,
    )
    from loadtest.report.console import standard_output
    from loadtest.report.markdown import comparisons_markdown, write_markdown
    from loadtest.report.render import read_measurements
    from loadtest.report.terminal import print_comparisons

    results = read_measurements([before]), read_measurements([after])
    found, not_valid, notes = (
        compare_results(*results),
        invalid_pools(*results),
        generator_drifts(*results),
    )
    for line in unmatched_pools(*results):
        print(line, file=sys.stderr)
    if markdown:
        write_markdown(markdown, comparisons_markdown(found, notes))
    if as_json:
        typer.echo(json.dumps([one.model_dump(mode="json") for one in found], indent=2))
    else:
        print_comparisons(found, not_valid, standard_output())
    for line in notes:
        print(line, file=sys.stderr)
    raise typer.Exit(diff_exit_code(found, not_valid))


def _are_recordings(before: Path, after: Path) -> bool:
    """Whether both are recordings; raises UsageError if only one of two results is."""
    recorded, other = (holds_recording([path]) for path in (before, after))
    if recorded != other and before.exists() and after.exists():
        one, measured = (before, after) if recorded else (after, before)
        raise UsageError(
            f"{one} is a recording and {measured} is not: a recording can be compared only with "
            "another recording"
        )
    return recorded and other


def _diff_recordings(
    before: Path, after: Path, application: str, markdown: Path | None, *, as_json: bool
) -> NoReturn:
    from loadtest.analysis.comparison.comparer import ComparisonRule
    from loadtest.analysis.comparison.recording_diff import compare_blocks, paired_recordings
    from loadtest.analysis.comparison.recording_diff_words import diff_answer, diff_notes
    from loadtest.analysis.comparison.result_diff import diff_exit_code
    from loadtest.analysis.recordings.read_recording import read_recording
    from loadtest.report.console import plain, standard_output
    from loadtest.report.markdown import comparisons_markdown, write_markdown
    from loadtest.report.terminal import print_comparisons

    recordings = (
        read_recording([before], application=application),
        read_recording([after], application=application),
    )
    pairs = paired_recordings(*recordings)
    found = [(one, compare_blocks(one, ComparisonRule())) for one in pairs if one.pairs]
    compared = [comparison for _, values in found for comparison in values]
    answers = [diff_answer(one, values) for one, values in found]
    notes = [*diff_notes(*recordings, pairs), *recordings[0].problems, *recordings[1].problems]
    if markdown:
        write_markdown(markdown, comparisons_markdown(compared, [*answers, *notes]))
    if as_json:
        typer.echo(json.dumps([one.model_dump(mode="json") for one in compared], indent=2))
    else:
        console = standard_output()
        for line in answers:
            console.print(plain(line, console, "bold"))
        print_comparisons(compared, [], console)
    for line in notes:
        print(line, file=sys.stderr)
    raise typer.Exit(diff_exit_code(compared, []))
