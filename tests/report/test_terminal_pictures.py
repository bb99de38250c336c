"""What a terminal shows in the help, during and after a comparison, as pictures."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

from loadtest.analysis.summarize import summarize
from loadtest.cli.main import app
from loadtest.report.render import read_measurements
from loadtest.report.terminal import print_summary
from tests.analysis.builders import experiment
from tests.pictures import VIEWS, keep_terminal_pictures
from tests.report.test_progress import compared

pytestmark = pytest.mark.browser


def test_progress_and_result_fit_terminals_of_all_widths(browser: Browser, tmp_path: Path) -> None:
    summary = summarize(read_measurements([experiment(tmp_path)]))

    def progress(console: Console) -> None:
        console.print(compared(console).picture())

    shown = keep_terminal_pictures(browser, progress, "progress")
    ended = keep_terminal_pictures(browser, lambda to: print_summary(summary, to), "result")
    assert len(shown) == len(ended) == len(VIEWS)
    assert all("20+0" in text for text in shown)
    assert all(text.lstrip().startswith("Set pool_size=20") for text in ended)
    for text in ended:
        (row,) = [line.split() for line in text.splitlines() if line.startswith("20+0")]
        assert {"691", "1.16", "0.2"} <= {*row}


def test_the_help_fits_terminals_of_all_widths(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.rich_utils.FORCE_TERMINAL", True)

    def helped(console: Console) -> None:
        asked = CliRunner().invoke(
            app,
            ["compare", "--help"],
            env={"COLUMNS": str(console.width), "TERM": "xterm"},
            prog_name="loadtest",
        )
        console.print(Text.from_ansi(asked.stdout))

    for text in keep_terminal_pictures(browser, helped, "help"):
        assert [name for name in ("Load", "Pool", "Database") if f"╭─ {name} ─" not in text] == []
        assert all(f"--{name} " in text for name in ("pool", "rounds", "ready"))
