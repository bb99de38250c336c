"""The command `loadtest open`: a report in the browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from loadtest.cli.completion import complete_result
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.runfile.folders import find_runs, folder_of, holds_recording

_PAGE = "report.html"


def open(
    result: Annotated[
        Path,
        typer.Argument(
            help="A folder of results, a run file or a page.", autocompletion=complete_result
        ),
    ] = Path("reports/latest"),
) -> None:
    """Open a report in the browser.

    Without a result, it is the newest one in reports/.

    Example: [bold]loadtest open[/]
    """
    page = page_of(result)
    if not _browser_opens(page):
        raise LoadtestError(f"no browser could be started; open this file yourself: {page}")
    typer.echo(f"Opened {page}")


def page_of(result: Path) -> Path:
    """The page of a result; raises UsageError if there is none."""
    page = result if result.suffix == ".html" else folder_of(result) / _PAGE
    if not (result.exists() and page.is_file()):
        if not holds_recording([result]):
            find_runs([result])  # a report needs runs
        raise UsageError(f"{result} has no {_PAGE}: make it with loadtest report {result}")
    return page.resolve()


def _browser_opens(page: Path) -> bool:
    """Whether a browser with windows shows the page; one for terminals would fill this terminal."""
    windows = sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    named = "BROWSER" in os.environ
    return (windows or named) and webbrowser.open(page.as_uri())
