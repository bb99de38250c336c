"""The report that many tests of reports look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.report.render import render
from tests.analysis.builders import experiment


@pytest.fixture(scope="session")
def experiment_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an experiment of three pools and its report with figures, only to read."""
    folder = experiment(tmp_path_factory.mktemp("sound"))
    (folder / "runs" / "20+0-1.log").write_text("a log\n")
    render([folder], folder)
    return folder
