"""Pages of runs without figures, which take longer than all else in a report."""

from __future__ import annotations

from pathlib import Path

from loadtest.model.summary import Summary
from loadtest.report.render import render
from tests.undisturbed import without_figures


def figureless(*paths: Path, out: Path) -> Summary:
    """Render runs in a folder, without figures."""
    with without_figures():
        return render(paths, out)


def page_of(folder: Path, *paths: Path) -> str:
    """The page of a folder's runs, or of those at some paths, without figures."""
    figureless(*(paths or (folder,)), out=folder)
    return (folder / "report.html").read_text()
