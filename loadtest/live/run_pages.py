"""The ended runs in the web UI: their table, their series, their files, and comparisons."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Response, request, send_file

from loadtest.live.comparing.request_guard import RequestGuard
from loadtest.live.ended_runs import EndedRun, EndedRuns
from loadtest.live.points import Points
from loadtest.live.run_comparison import ComparisonReports
from loadtest.live.run_series import run_series
from loadtest.live.second import Point
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.runfile.folders import REPORT_PAGE, reported_folders

# A report has a stricter policy in its head, which names its one script. Both policies apply.
_REPORT_ONLY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
# Data from users may look like a page: it is shown as text.
_NOTHING = "default-src 'none'; sandbox"
_TYPES = {".html": "text/html", ".json": "application/json"}
_TEXT = "text/plain"
# The files that a report links to, by their places in its folder.
_LINKED = (REPORT_PAGE, "summary.json", "experiment.json", "runs/*.jsonl", "runs/*.log")
_NO_REPORT = "There is no report yet. loadtest creates the report at the end.\n"
_NO_FILE = "There is no such file in the results.\n"
_NO_RUNS = "send the names of the runs as JSON"
_GONE = "this run is not among the newest in the folder of results; load the page again"

Serve = Callable[..., None]


def linked_files(folder: Path) -> dict[str, Path]:
    """The files of a result that a report links to, by their paths from its folder.

    Symbolic links are left out: they may lead out of the results.
    """
    found = [path for pattern in _LINKED for path in sorted(folder.glob(pattern))]
    inside = [path for path in found if path.is_file() and not _is_link(path, folder)]
    return {path.relative_to(folder).as_posix(): path for path in inside}


def _is_link(path: Path, folder: Path) -> bool:
    return any(one.is_symlink() for one in (path, *path.parents) if one.is_relative_to(folder))


class RunPages:
    """The views of ended runs; a file is found among those that exist, never by its path."""

    def __init__(self, runs: EndedRuns, points: Points, reports: ComparisonReports) -> None:
        self._runs, self._points, self._reports = runs, points, reports

    def add(self, serve: Serve, guard: RequestGuard) -> None:
        """Serve them; serve: takes a rule, an endpoint and a view. guard: refuses other pages."""
        serve("/pool/runs", "runs", guard.reads(self.table))
        serve("/pool/runs/<name>", "series", guard.reads(self.series))
        serve("/pool/results/<name>/<path:path>", "result", guard.reads(self.result))
        serve("/pool/comparison", "comparison", guard.acts(self.comparison), methods=["POST"])
        serve("/pool/report", "last_report", self.report)
        serve("/pool/report/<int:run>", "report", self.report)

    def table(self) -> Response:
        """The ended runs."""
        return _answer({"runs": [run.facts() for run in self._runs.newest()]})

    def series(self, name: str) -> Response:
        """The points of an ended run."""
        try:
            points = run_series(self._run(name).file)
        except LoadtestError as error:
            return _refused(str(error), 404)
        return _answer({"fields": Point._fields, "points": points})

    def comparison(self) -> Response:
        """Make the report of some runs; the answer has its address, or the problem."""
        asked = request.get_json(silent=True)
        names = asked.get("runs") if isinstance(asked, dict) else None
        if not isinstance(names, list):
            return _refused(_NO_RUNS, 400)
        try:
            folder = self._reports.of([self._run(name) for name in names])
        except LoadtestError as error:
            return _refused(str(error), 400 if isinstance(error, UsageError) else 503)
        return _answer({"report": f"results/{quote(folder.name)}/{REPORT_PAGE}"})

    def result(self, name: str, path: str) -> Response:
        """A report, or a file that a report links to."""
        folders = reported_folders(self._runs.folder())
        folder = next((one for one in folders if one.name == name), None)
        found = linked_files(folder).get(path) if folder else None
        if found is None:
            return _text(_NO_FILE)
        kind = _TYPES.get(found.suffix, _TEXT)
        response = send_file(found.resolve(), mimetype=kind, max_age=0)
        policy = _REPORT_ONLY if found.suffix == ".html" else _NOTHING
        response.headers["Content-Security-Policy"] = policy
        return fresh(response)

    def report(self, run: int | None = None) -> Response:
        """Lead to the report of a run of this process, by default the last one."""
        return report_answer(self._points.report(run), up="" if run is None else "../")

    def _run(self, name: object) -> EndedRun:
        found = next((run for run in self._runs.newest() if run.name == name), None)
        if found is None:
            raise UsageError(f"{name}: {_GONE}")
        return found


def report_answer(path: Path | None, up: str) -> Response:
    """Lead to the report at a path, where its links work; up: the way there from the address."""
    if path is None:
        return _text(_NO_REPORT)
    place = f"{up}results/{quote(path.parent.name)}/{REPORT_PAGE}"
    return fresh(Response("", 302, {"Location": place}))


def fresh(response: Response) -> Response:
    """Forbid caching: the next version of loadtest may answer at the same address."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _answer(data: dict[str, Any], status: int = 200) -> Response:
    return fresh(Response(json.dumps(data), status, content_type="application/json"))


def _refused(problem: str, status: int) -> Response:
    return _answer({"problems": {"": problem}}, status)


def _text(words: str) -> Response:
    return fresh(Response(words, 404, content_type="text/plain; charset=utf-8"))
