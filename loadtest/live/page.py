"""The live page `/pool`: its files, its data, and the results that it shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, request

from loadtest.charts import CHART_FOLDER
from loadtest.live.comparing.request_guard import RequestGuard
from loadtest.live.ended_runs import EndedRuns
from loadtest.live.points import Points
from loadtest.live.run_comparison import ComparisonReports
from loadtest.live.run_pages import RunPages, fresh

_FOLDER = Path(__file__).with_name("browser")
_TYPES = {
    "pool.html": "text/html; charset=utf-8",
    "pool.css": "text/css; charset=utf-8",
    "pool.js": "text/javascript; charset=utf-8",
    "plots.js": "text/javascript; charset=utf-8",
    "runs.js": "text/javascript; charset=utf-8",
    "compare.css": "text/css; charset=utf-8",
    "compare.js": "text/javascript; charset=utf-8",
    "uPlot.css": "text/css; charset=utf-8",
    "uPlot.js": "text/javascript; charset=utf-8",
    "charting.js": "text/javascript; charset=utf-8",
}
_SHARED = ("uPlot.css", "uPlot.js", "charting.js")
# Names come from users: the browser may run only these files and connect only to this server.
_OURS_ONLY = "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
# The place of the form for comparisons.
_COMPARING = b"<!-- comparing -->"


def add_pages(
    web_ui: Any,
    points: Points,
    base_path: str,
    results: Callable[[], Path],
    guard: RequestGuard,
) -> None:
    """Serve the page below base_path, behind Locust's login when that is on.

    results: returns the folder with the results of ended runs. guard: refuses requests of other
    pages.
    """
    pages = Blueprint("loadtest", __name__, url_prefix=base_path or None)

    def serve(rule: str, endpoint: str, view: Any, **more: Any) -> None:
        pages.add_url_rule(rule, endpoint, web_ui.auth_required_if_enabled(view), **more)

    def pool() -> Response:
        response = _file("pool.html")
        form = (_FOLDER / "compare.html").read_bytes()
        response.set_data(response.get_data().replace(_COMPARING, form))
        return response

    def data() -> Response:
        since = request.args.get("since", 0, type=int)
        return fresh(Response(points.answer(since), content_type="application/json"))

    serve("/pool", "page", pool)
    serve("/pool/files/<name>", "file", _file)
    serve("/pool/data", "data", data)
    RunPages(EndedRuns(results), points, ComparisonReports(results)).add(serve, guard)
    web_ui.app.register_blueprint(pages)


def _file(name: str) -> Response:
    if name not in _TYPES:
        abort(404)
    folder = CHART_FOLDER if name in _SHARED else _FOLDER
    response = Response((folder / name).read_bytes(), content_type=_TYPES[name])
    response.headers["Content-Security-Policy"] = _OURS_ONLY
    return fresh(response)
