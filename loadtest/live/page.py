"""The live page `/pool`: its files, its data, and the reports of the runs it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, request, send_file

from loadtest.charts import CHART_FOLDER
from loadtest.live.points import Points

_FOLDER = Path(__file__).with_name("browser")
_TYPES = {
    "pool.html": "text/html; charset=utf-8",
    "pool.css": "text/css; charset=utf-8",
    "pool.js": "text/javascript; charset=utf-8",
    "compare.css": "text/css; charset=utf-8",
    "compare.js": "text/javascript; charset=utf-8",
    "uPlot.css": "text/css; charset=utf-8",
    "uPlot.js": "text/javascript; charset=utf-8",
    "charting.js": "text/javascript; charset=utf-8",
}
_SHARED = ("uPlot.css", "uPlot.js", "charting.js")
# Names come from users: the browser may run only these files and connect only to this server.
_OURS_ONLY = "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
# A report has a stricter policy in its head, which names its one script. Both policies apply.
_REPORT_ONLY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_NO_REPORT = "There is no report yet. loadtest creates the report at the end.\n"
# The place of the form for comparisons.
_COMPARING = b"<!-- comparing -->"


def add_pages(web_ui: Any, points: Points, base_path: str, *, comparing: bool = False) -> None:
    """Serve the page below base_path, behind Locust's login when that is on.

    A report is found by the number of its run in this process, never by a path from a request.
    comparing: whether the page has the form for comparisons.
    """
    pages = Blueprint("loadtest", __name__, url_prefix=base_path or None)

    def serve(rule: str, endpoint: str, view: Any) -> None:
        pages.add_url_rule(rule, endpoint, web_ui.auth_required_if_enabled(view))

    def pool() -> Response:
        response = _file("pool.html")
        form = (_FOLDER / "compare.html").read_bytes() if comparing else b""
        response.set_data(response.get_data().replace(_COMPARING, form))
        return response

    def data() -> Response:
        since = request.args.get("since", 0, type=int)
        return _fresh(Response(points.answer(since), content_type="application/json"))

    def report(run: int | None = None) -> Response:
        return report_answer(points.report(run))

    serve("/pool", "page", pool)
    serve("/pool/files/<name>", "file", _file)
    serve("/pool/data", "data", data)
    serve("/pool/report", "last_report", report)
    serve("/pool/report/<int:run>", "report", report)
    web_ui.app.register_blueprint(pages)


def report_answer(path: Path | None) -> Response:
    """The report at a path; without one, an answer that says so."""
    if path is None:
        return Response(_NO_REPORT, 404, content_type="text/plain; charset=utf-8")
    response = send_file(path.resolve(), mimetype="text/html", max_age=0)
    response.headers["Content-Security-Policy"] = _REPORT_ONLY
    return _fresh(response)


def _file(name: str) -> Response:
    if name not in _TYPES:
        abort(404)
    folder = CHART_FOLDER if name in _SHARED else _FOLDER
    response = Response((folder / name).read_bytes(), content_type=_TYPES[name])
    response.headers["Content-Security-Policy"] = _OURS_ONLY
    return _fresh(response)


def _fresh(response: Response) -> Response:
    """Forbid caching: the next version of loadtest may answer at the same address."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
