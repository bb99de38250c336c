"""Results of single runs, as Locust leaves them: a folder with one run and its report."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask

from loadtest.live.comparing.comparison_form import ServedSettings
from loadtest.live.displays import Live
from loadtest.report.render import render
from tests.analysis.builders import START, header, steady
from tests.undisturbed import without_figures

LOAD = header()["load"]


def result(results: Path, name: str, pool: str, per_second: int = 100, **more: Any) -> Path:
    """The folder of a run with this pool and this number of requests a second."""
    folder = results / name
    steady(folder, pool, [per_second], **{"seconds": 12, **more})
    return reported(folder)


def reported(folder: Path) -> Path:
    """A folder with its report."""
    with without_figures():
        render([folder], folder)
    return folder


def three_runs(results: Path) -> list[Path]:
    """Runs of two pools that can be compared, and one with other users whose generator was busy."""
    busy = {"users": 900, "warmup": 1.0}
    return [
        result(results, "first", "5+10", wait=40, started=START + 0.1),
        result(results, "second", "20+0", 700, started=START + 0.2, seconds=15),
        result(results, "third", "9+0", 10, cpu=0.99, load={**LOAD, **busy}, started=START + 0.3),
    ]


def web_app(results: Path) -> tuple[Flask, Live]:
    """A web UI with the tool's pages, for the results in a folder, without Locust."""
    app, live = Flask(__name__), Live()
    app.testing = True
    bare: Any = SimpleNamespace(app=app, auth_required_if_enabled=lambda view: view)
    bare.template_args = {}
    settings = ServedSettings(scenarios={}, defaults={})
    live.serve(bare, "", lambda: results, lambda: settings)
    return app, live
