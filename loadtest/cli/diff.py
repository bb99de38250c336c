"""The command `loadtest diff`: compares two finished results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from loadtest.cli.shared_options import AsJson, Markdown
from loadtest.runfile.folders import find_runs


def diff(
    before: Annotated[Path, typer.Argument(help="A folder of results, or a run file.")],
    after: Annotated[Path, typer.Argument(help="Another result with the same pools.")],
    markdown: Markdown = None,
    as_json: AsJson = False,
) -> None:
    """Show what became better or worse between two results; exits with 3 if anything is worse.

    Example: [bold]loadtest diff reports/before/latest reports/after/latest[/]
    """
    find_runs([before, after])  # a missing result is refused before the slow imports

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
